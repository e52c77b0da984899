//! Inserts gas charges into plain JavaScript, as text at places found in its syntax tree.
//!
//! Every straight run of code begins with a charge for all syntax nodes in it. Runs begin at function entries, loop
//! bodies, branches, cases, `catch`, `finally`, static blocks, field initialisers and default values, so no code runs
//! twice without paying twice. Operations whose cost depends on their operands (`+` on strings, `*`, `**`, `<<`,
//! spread, templates) go through functions of `js/meter.js` that charge by size.
//!
//! Which node is charged how is in `visit`, operators are in `operators`, functions and how deep they nest in `frames`.

mod frames;
mod operators;
mod visit;

use oxc::ast::ast::{Program, Statement};
use oxc::ast_visit::Visit;
use oxc::span::{GetSpan, Span};

use frames::{Frame, Place};

/// Names that the inserted code uses; a contract may not use them.
pub(super) const RESERVED: [&str; 16] = [
    "$g", "$x", "$l", "$s", "$pow", "$shl", "$k", "$o", "$t", "$m", "$args", "$e", "$d", "$v",
    "$i", "$a",
];

/// The host leaves it there for one reading; the modules that were imported follow.
const HEADER: &str = "const $m=globalThis.$m,{$g,$x,$l,$s,$pow,$shl,$k,$o,$t,$d,$v,$a}=$m.meter;";

pub(super) struct Metered {
    pub(super) code: String,
    /// Offset in the plain code and how many bytes were inserted up to and at it, sorted.
    pub(super) insertions: Vec<(u32, u32)>,
    /// Offset in the plain code of each run and its charge.
    pub(super) charges: Vec<(u32, u32)>,
    /// Imports of what a module does not export: offset in the plain code, and why not.
    pub(super) missing: Vec<(u32, String)>,
}

pub(super) fn meter(plain: &str, program: &Program<'_>) -> Metered {
    let mut meter = Meter {
        text: plain,
        cost: 1,
        edits: Vec::new(),
        charges: Vec::new(),
        imports: String::new(),
        missing: Vec::new(),
        frame: None,
        place: Place::Body,
    };
    let slot = meter.slot(0);
    meter.visit_program(program);
    let cost = meter.cost;
    let imports = std::mem::take(&mut meter.imports);
    meter.fill(slot, cost, |cost| {
        format!("{HEADER}{imports}{}", statement(cost))
    });
    meter.finish()
}

fn statement(cost: u32) -> String {
    format!("if(($g[0]-={cost})<0)$x();")
}

fn expression(cost: u32) -> String {
    format!("(($g[0]-={cost})<0&&$x(),")
}

struct Meter<'s> {
    text: &'s str,
    cost: u32,
    edits: Vec<(u32, String)>,
    charges: Vec<(u32, u32)>,
    /// What takes the place of import declarations.
    imports: String,
    /// Imports of what a module does not export: where, and why not.
    missing: Vec<(u32, String)>,
    /// The function around the place that is being visited; none at the top level.
    frame: Option<Frame>,
    place: Place,
}

impl<'a> Meter<'_> {
    fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.edits.push((at, text.into()));
    }

    /// A place whose text is known only after what follows has been visited.
    fn slot(&mut self, at: u32) -> usize {
        self.edits.push((at, String::new()));
        self.edits.len() - 1
    }

    fn fill(&mut self, slot: usize, cost: u32, text: impl FnOnce(u32) -> String) {
        self.edits[slot].1 = text(cost);
        self.charges.push((self.edits[slot].0, cost));
    }

    /// Visits a run and gives what it costs.
    fn run(&mut self, visit: impl FnOnce(&mut Self)) -> u32 {
        let outer = std::mem::replace(&mut self.cost, 1);
        visit(self);
        std::mem::replace(&mut self.cost, outer)
    }

    fn wrap(&mut self, span: Span, before: &str, visit: impl FnOnce(&mut Self)) {
        self.insert(span.start, before);
        visit(self);
        self.insert(span.end, ")");
    }

    /// A statement that is its own run: a loop's body, a branch. `also` is charged with it.
    fn body(&mut self, body: &Statement<'a>, also: impl FnOnce(&mut Self)) {
        let span = body.span();
        if let Statement::BlockStatement(block) = body {
            let slot = self.slot(span.start + 1);
            let cost = self.run(|meter| {
                also(meter);
                meter.visit_block_statement(block);
            });
            self.fill(slot, cost, statement);
        } else {
            let slot = self.slot(span.start);
            let cost = self.run(|meter| {
                also(meter);
                meter.visit_statement(body);
            });
            self.fill(slot, cost, |cost| format!("{{{}", statement(cost)));
            self.insert(span.end, "}");
        }
    }

    fn finish(mut self) -> Metered {
        // Stable: at one place, the order of insertion is outer before inner for openings and inner before outer for endings.
        self.edits.sort_by_key(|(at, _)| *at);
        let mut code = String::with_capacity(self.text.len() * 2);
        let mut insertions: Vec<(u32, u32)> = Vec::with_capacity(self.edits.len());
        let mut done = 0;
        let mut total = 0;
        for (at, text) in &self.edits {
            code.push_str(&self.text[done..*at as usize]);
            done = *at as usize;
            code.push_str(text);
            total += u32::try_from(text.len()).unwrap_or(u32::MAX);
            insertions.push((*at, total));
        }
        code.push_str(&self.text[done..]);
        self.charges.sort_unstable();
        Metered {
            code,
            insertions,
            charges: self.charges,
            missing: self.missing,
        }
    }
}

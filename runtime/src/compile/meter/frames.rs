//! Functions: the charge at their entry, and how deep they nest.
//!
//! Where an engine's stack ends depends on the engine, its compiler and the build. So metered code counts: every
//! function adds its weight to `$g[2]` when it begins and takes it off when it ends, and ends the execution at a depth
//! that fits either engine's stack. A generator or an async function is off the stack while it waits, so its weight
//! goes off before `yield` and `await` and comes back after; `$i` says whether it is on, because `throw()` and
//! `return()` on a generator, and a rejection, resume it elsewhere than at the next expression.

use oxc::ast::ast::{
    ArrowFunctionBody, AwaitExpression, Expression, FormalParameters, FunctionBody, YieldExpression,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::{GetSpan, Span};

use super::operators::trivial;
use super::{Meter, expression, statement};

/// How deep functions may nest, each counting once and again for every [`TEXT_OF_A_UNIT`] bytes of its text.
const MAX_CALL_DEPTH: u32 = 2_000;

/// A function's registers, and so its place on the stack, grow with its text.
const TEXT_OF_A_UNIT: u32 = 512;

/// The function that is being visited.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    weight: u32,
    suspends: Suspends,
}

/// Whether a function can stop half way: generators and async functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspends {
    Never,
    Perhaps,
}

impl Suspends {
    pub(super) fn of(perhaps: bool) -> Self {
        if perhaps { Self::Perhaps } else { Self::Never }
    }
}

/// Default values in a function's parameters run before its body, so they count for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Parameters,
    Body,
}

impl Frame {
    fn new(span: Span, suspends: Suspends) -> Self {
        Self {
            weight: 1 + span.size() / TEXT_OF_A_UNIT,
            suspends,
        }
    }

    /// What stands before the body.
    fn enter(self) -> String {
        let flag = match self.suspends {
            Suspends::Perhaps => "let $i=1;",
            Suspends::Never => "",
        };
        format!(
            "if(($g[2]+={})>{MAX_CALL_DEPTH})$d();{flag}try{{",
            self.weight
        )
    }

    /// What stands behind it.
    fn leave(self) -> String {
        let weight = self.weight;
        match self.suspends {
            Suspends::Perhaps => format!("}}finally{{if($i)$g[2]-={weight}}}"),
            Suspends::Never => format!("}}finally{{$g[2]-={weight}}}"),
        }
    }
}

/// The constructor of a derived class that has none.
pub(super) fn default_constructor(cost: u32) -> String {
    let frame = Frame {
        weight: 1,
        suspends: Suspends::Never,
    };
    format!(
        "constructor(...$args){{{}{}super(...$a($args)){}}}",
        statement(cost),
        frame.enter(),
        frame.leave()
    )
}

impl<'a> Meter<'_> {
    pub(super) fn function_body(
        &mut self,
        body: &FunctionBody<'a>,
        suspends: Suspends,
        params: &FormalParameters<'a>,
    ) {
        let at = body
            .directives
            .last()
            .map_or(body.span.start + 1, |directive| directive.span.end);
        let frame = Frame::new(body.span, suspends);
        // Parameters are written before the body; their edits sort by place, not by order.
        let slot = self.slot(at);
        let cost = self.within(frame, params, |meter| meter.visit_function_body(body));
        self.fill(slot, cost, |cost| {
            format!("{}{}", statement(cost), frame.enter())
        });
        self.insert(body.span.end - 1, frame.leave());
    }

    /// An arrow function that gives the value of an expression.
    pub(super) fn arrow_value(
        &mut self,
        body: &ArrowFunctionBody<'a>,
        suspends: Suspends,
        params: &FormalParameters<'a>,
    ) {
        let span = body.span();
        let frame = Frame::new(span, suspends);
        let slot = self.slot(span.start);
        let cost = self.within(frame, params, |meter| {
            walk::walk_arrow_function_body(meter, body);
        });
        self.fill(slot, cost, |cost| {
            format!("{{{}{}return ", statement(cost), frame.enter())
        });
        self.insert(span.end, format!("{}}}", frame.leave()));
    }

    /// Visits parameters and body of a function and gives what a call costs.
    fn within(
        &mut self,
        frame: Frame,
        params: &FormalParameters<'a>,
        body: impl FnOnce(&mut Self),
    ) -> u32 {
        let outer = (
            self.frame.replace(frame),
            std::mem::replace(&mut self.place, Place::Parameters),
        );
        let cost = self.run(|meter| {
            meter.visit_formal_parameters(params);
            meter.place = Place::Body;
            body(meter);
        });
        (self.frame, self.place) = outer;
        cost
    }

    /// A default value: it may run or not.
    pub(super) fn value(&mut self, value: &Expression<'a>) {
        match self.place {
            Place::Parameters => self.field(value),
            Place::Body if trivial(value) => self.visit_expression(value),
            Place::Body => {
                let span = value.span();
                let slot = self.slot(span.start);
                let cost = self.run(|meter| meter.visit_expression(value));
                self.fill(slot, cost, expression);
                self.insert(span.end, ")");
            }
        }
    }

    /// A field's initialiser or a parameter's default value: it runs outside every body, so it becomes a function.
    pub(super) fn field(&mut self, value: &Expression<'a>) {
        if trivial(value) {
            self.visit_expression(value);
            return;
        }
        let span = value.span();
        let frame = Frame::new(span, Suspends::Never);
        let slot = self.slot(span.start);
        let outer = (
            self.frame.replace(frame),
            std::mem::replace(&mut self.place, Place::Body),
        );
        let cost = self.run(|meter| meter.visit_expression(value));
        (self.frame, self.place) = outer;
        self.fill(slot, cost, |cost| {
            format!("(()=>{{{}{}return ", statement(cost), frame.enter())
        });
        self.insert(span.end, format!("{}}})()", frame.leave()));
    }

    pub(super) fn yielding(&mut self, it: &YieldExpression<'a>) {
        // A delegating generator stays counted: it is on the stack whenever what it delegates to is.
        let frame = self.frame.filter(|_| !it.delegate);
        self.suspending(it.span, it.argument.as_ref(), frame);
    }

    pub(super) fn awaiting(&mut self, it: &AwaitExpression<'a>) {
        self.suspending(it.span, Some(&it.argument), self.frame);
    }

    fn suspending(&mut self, span: Span, argument: Option<&Expression<'a>>, frame: Option<Frame>) {
        let Some(Frame { weight, .. }) = frame else {
            if let Some(argument) = argument {
                self.visit_expression(argument);
            }
            return;
        };
        self.insert(span.start, "$v(");
        let off = format!(",$g[2]-={weight},$i=0)");
        match argument {
            Some(argument) => {
                self.insert(argument.span().start, "$v(");
                self.visit_expression(argument);
                self.insert(argument.span().end, off);
            }
            None => self.insert(span.end, format!(" $v(void 0{off}")),
        }
        self.insert(span.end, format!(",$g[2]+={weight},$i=1)"));
    }

    /// The first statement of a `catch` or `finally`: what was resumed by an exception is on the stack again.
    pub(super) fn back(&self) -> String {
        match self.frame {
            Some(Frame {
                weight,
                suspends: Suspends::Perhaps,
            }) => format!("$i||($g[2]+={weight},$i=1);"),
            _ => String::new(),
        }
    }
}

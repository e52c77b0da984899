//! `import` and `export` where they mean nothing, in a class's `static` block for example: the parser lets them stand there.

use oxc::allocator::Allocator;
use oxc::ast::ast::{BlockStatement, FunctionBody, Statement, StaticBlock, SwitchCase};
use oxc::ast_visit::{Visit, walk};
use oxc::parser::Parser;
use oxc::span::{GetSpan, SourceType, Span};
use tana_sandbox::message::{ErrorCode, Failure};

use super::position::line_column;

/// The first one. Looked for only in a source whose translation does not parse: elsewhere the engine refuses it in its own
/// words, which are in receipts.
pub(super) fn find(source: &str) -> Option<Failure> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::ts().with_module(true)).parse();
    let mut misplaced = Misplaced(None);
    misplaced.visit_program(&parsed.program);
    let (line, column) = line_column(source, misplaced.0?.start as usize);
    let why = "`import` and `export` stand at the top of the file, in no block";
    Some(Failure::new(ErrorCode::Syntax, why).at(line, column))
}

struct Misplaced(Option<Span>);

impl Misplaced {
    fn within(&mut self, statements: &[Statement<'_>]) {
        let module = statements.iter().find(|it| it.is_module_declaration());
        self.0 = self.0.or_else(|| module.map(GetSpan::span));
    }
}

impl<'a> Visit<'a> for Misplaced {
    fn visit_block_statement(&mut self, it: &BlockStatement<'a>) {
        self.within(&it.body);
        walk::walk_block_statement(self, it);
    }

    fn visit_static_block(&mut self, it: &StaticBlock<'a>) {
        self.within(&it.body);
        walk::walk_static_block(self, it);
    }

    fn visit_function_body(&mut self, it: &FunctionBody<'a>) {
        self.within(&it.statements);
        walk::walk_function_body(self, it);
    }

    fn visit_switch_case(&mut self, it: &SwitchCase<'a>) {
        self.within(&it.consequent);
        walk::walk_switch_case(self, it);
    }
}

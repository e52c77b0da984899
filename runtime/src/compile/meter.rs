//! Inserts gas charges into plain JavaScript, as text at places found in its syntax tree.
//!
//! Every straight run of code begins with a charge for all syntax nodes in it. Runs begin at function entries, loop
//! bodies, branches, cases, `catch`, `finally`, static blocks, field initialisers and default values, so no code runs
//! twice without paying twice. Operations whose cost depends on their operands (`+` on strings, `*`, `**`, `<<`,
//! spread, templates) go through functions of `js/meter.js` that charge by size.

use oxc::ast::AstKind;
use oxc::ast::ast::{
    Argument, ArrayExpressionElement, ArrowFunctionBody, ArrowFunctionExpression,
    AssignmentExpression, AssignmentPattern, AssignmentTarget, AssignmentTargetPropertyIdentifier,
    AssignmentTargetWithDefault, BinaryExpression, BindingPattern, CatchClause, Class,
    ClassElement, DoWhileStatement, Expression, ForInStatement, ForOfStatement, ForStatement,
    FormalParameter, Function, FunctionBody, IfStatement, ImportDeclaration,
    ImportDeclarationSpecifier, MethodDefinitionKind, Program, PropertyDefinition, SpreadElement,
    Statement, StaticBlock, SwitchCase, TaggedTemplateExpression, TemplateLiteral, TryStatement,
    WhileStatement,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::{GetSpan, Span};
use oxc::syntax::operator::{AssignmentOperator, BinaryOperator, UnaryOperator};
use oxc::syntax::scope::ScopeFlags;

use super::rules::{missing, module_name};

/// Names that the inserted code uses; a contract may not use them.
pub(super) const RESERVED: [&str; 12] = [
    "$g", "$x", "$l", "$s", "$pow", "$shl", "$k", "$o", "$t", "$m", "$args", "$e",
];

/// The host leaves it there for one reading; the modules that were imported follow.
const HEADER: &str = "const $m=globalThis.$m,{$g,$x,$l,$s,$pow,$shl,$k,$o,$t}=$m.meter;";

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

    /// An expression that may run on its own: a default value, a field initialiser.
    fn value(&mut self, value: &Expression<'a>) {
        if trivial(value) {
            self.visit_expression(value);
            return;
        }
        let span = value.span();
        let slot = self.slot(span.start);
        let cost = self.run(|meter| meter.visit_expression(value));
        self.fill(slot, cost, expression);
        self.insert(span.end, ")");
    }

    fn function_body(&mut self, body: &FunctionBody<'a>, params: impl FnOnce(&mut Self)) {
        let at = body
            .directives
            .last()
            .map_or(body.span.start + 1, |directive| directive.span.end);
        // Parameters are written before the body; their edits sort by place, not by order.
        let slot = self.slot(at);
        let cost = self.run(|meter| {
            params(meter);
            meter.visit_function_body(body);
        });
        self.fill(slot, cost, statement);
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

/// Evaluating it runs no code of the contract and takes constant time.
fn trivial(value: &Expression<'_>) -> bool {
    matches!(
        value,
        Expression::BooleanLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::NumericLiteral(_)
            | Expression::StringLiteral(_)
            | Expression::BigIntLiteral(_)
            | Expression::Identifier(_)
            | Expression::ThisExpression(_)
            | Expression::FunctionExpression(_)
            | Expression::ArrowFunctionExpression(_)
    )
}

/// A number, or the operation on it throws: no string or large integer can come out of adding or multiplying it.
fn numeric(value: &Expression<'_>) -> bool {
    match value {
        Expression::NumericLiteral(_) => true,
        Expression::ParenthesizedExpression(inner) => numeric(&inner.expression),
        Expression::UnaryExpression(unary) => unary.operator == UnaryOperator::UnaryPlus,
        _ => false,
    }
}

/// Never a string: what an arithmetic operator other than `+` makes.
fn arithmetic(value: &Expression<'_>) -> bool {
    match value {
        Expression::NumericLiteral(_) | Expression::UpdateExpression(_) => true,
        Expression::ParenthesizedExpression(inner) => arithmetic(&inner.expression),
        Expression::UnaryExpression(unary) => {
            matches!(
                unary.operator,
                UnaryOperator::UnaryPlus | UnaryOperator::UnaryNegation | UnaryOperator::BitwiseNot
            )
        }
        Expression::BinaryExpression(binary) => match binary.operator {
            BinaryOperator::Addition => arithmetic(&binary.left) && arithmetic(&binary.right),
            operator => operator.is_arithmetic() || operator.is_bitwise(),
        },
        _ => false,
    }
}

impl<'a> Visit<'a> for Meter<'_> {
    fn enter_node(&mut self, _: AstKind<'a>) {
        self.cost += 1;
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.insert(it.span.start, "/*");
        self.insert(it.span.end, "*/");
        let Some(module) = module_name(&it.source.value) else {
            return;
        };
        for specifier in it.specifiers.iter().flatten() {
            let (imported, local) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    (one.imported.name(), &one.local)
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                    ("default".into(), &one.local)
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                    self.imports
                        .push_str(&format!("const {}=$m.{module};", one.local.name));
                    continue;
                }
            };
            if let Some(why) = missing(module, &imported) {
                self.missing.push((it.span.start, why));
            }
            self.imports.push_str(&format!(
                "const {}=$m.{module}[\"{imported}\"];",
                local.name
            ));
        }
    }

    fn visit_function(&mut self, it: &Function<'a>, _: ScopeFlags) {
        self.cost += 1;
        if let Some(body) = &it.body {
            self.function_body(body, |meter| meter.visit_formal_parameters(&it.params));
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.cost += 1;
        match &it.body {
            ArrowFunctionBody::FunctionBody(body) => {
                self.function_body(body, |meter| meter.visit_formal_parameters(&it.params));
            }
            body => {
                let span = body.span();
                let slot = self.slot(span.start);
                let cost = self.run(|meter| {
                    meter.visit_formal_parameters(&it.params);
                    walk::walk_arrow_function_body(meter, body);
                });
                self.fill(slot, cost, expression);
                self.insert(span.end, ")");
            }
        }
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        self.visit_binding_pattern(&it.pattern);
        if let Some(value) = &it.initializer {
            self.value(value);
        }
    }

    fn visit_assignment_pattern(&mut self, it: &AssignmentPattern<'a>) {
        self.visit_binding_pattern(&it.left);
        self.value(&it.right);
    }

    fn visit_assignment_target_with_default(&mut self, it: &AssignmentTargetWithDefault<'a>) {
        self.visit_assignment_target(&it.binding);
        self.value(&it.init);
    }

    fn visit_assignment_target_property_identifier(
        &mut self,
        it: &AssignmentTargetPropertyIdentifier<'a>,
    ) {
        self.cost += 1;
        if let Some(value) = &it.init {
            self.value(value);
        }
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        self.cost += 1;
        self.visit_property_key(&it.key);
        if let Some(value) = &it.value {
            self.value(value);
        }
    }

    fn visit_static_block(&mut self, it: &StaticBlock<'a>) {
        let start = it.span.start;
        let brace = self.text[start as usize..].find('{').unwrap_or(0);
        let slot = self.slot(start + u32::try_from(brace).unwrap_or(0) + 1);
        let cost = self.run(|meter| walk::walk_static_block(meter, it));
        self.fill(slot, cost, statement);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        // A chain of default constructors would run for free, as long as the chain is.
        let constructed = it.body.body.iter().any(|element| {
            matches!(element, ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Constructor)
        });
        if it.heritage.is_some() && !constructed {
            let cost = 4;
            self.charges.push((it.body.span.start + 1, cost));
            self.insert(
                it.body.span.start + 1,
                format!(
                    "constructor(...$args){{{}super(...$s($args))}}",
                    statement(cost)
                ),
            );
        }
        walk::walk_class(self, it);
    }

    fn visit_if_statement(&mut self, it: &IfStatement<'a>) {
        self.cost += 1;
        self.visit_expression(&it.test);
        self.body(&it.consequent, |_| {});
        if let Some(alternate) = &it.alternate {
            self.body(alternate, |_| {});
        }
    }

    fn visit_while_statement(&mut self, it: &WhileStatement<'a>) {
        self.cost += 1;
        self.body(&it.body, |meter| meter.visit_expression(&it.test));
    }

    fn visit_do_while_statement(&mut self, it: &DoWhileStatement<'a>) {
        self.cost += 1;
        self.body(&it.body, |meter| meter.visit_expression(&it.test));
    }

    fn visit_for_statement(&mut self, it: &ForStatement<'a>) {
        self.cost += 1;
        if let Some(init) = &it.init {
            self.visit_for_statement_init(init);
        }
        self.body(&it.body, |meter| {
            if let Some(test) = &it.test {
                meter.visit_expression(test);
            }
            if let Some(update) = &it.update {
                meter.visit_expression(update);
            }
        });
    }

    fn visit_for_in_statement(&mut self, it: &ForInStatement<'a>) {
        self.cost += 1;
        self.wrap(it.right.span(), "$k(", |meter| {
            meter.visit_expression(&it.right);
        });
        self.body(&it.body, |meter| meter.visit_for_statement_left(&it.left));
    }

    fn visit_for_of_statement(&mut self, it: &ForOfStatement<'a>) {
        self.cost += 1;
        self.visit_expression(&it.right);
        self.body(&it.body, |meter| meter.visit_for_statement_left(&it.left));
    }

    fn visit_switch_case(&mut self, it: &SwitchCase<'a>) {
        if let Some(test) = &it.test {
            self.visit_expression(test);
        }
        if let Some(first) = it.consequent.first() {
            let slot = self.slot(first.span().start);
            let cost = self.run(|meter| meter.visit_statements(&it.consequent));
            self.fill(slot, cost, statement);
        }
    }

    fn visit_try_statement(&mut self, it: &TryStatement<'a>) {
        self.cost += 1;
        self.visit_block_statement(&it.block);
        if let Some(handler) = &it.handler {
            self.visit_catch_clause(handler);
        }
        if it.handler.is_none() {
            // Otherwise `finally` would go on after a stack overflow.
            self.insert(it.block.span.end, "catch($e){$o($e);throw $e}");
        }
        if let Some(finalizer) = &it.finalizer {
            let slot = self.slot(finalizer.span.start + 1);
            let cost = self.run(|meter| meter.visit_block_statement(finalizer));
            self.fill(slot, cost, |cost| format!("{}$o();", statement(cost)));
        }
    }

    fn visit_catch_clause(&mut self, it: &CatchClause<'a>) {
        let caught = match &it.param {
            None => {
                self.insert(it.body.span.start, "($e)");
                Some("$e")
            }
            Some(param) => match &param.pattern {
                BindingPattern::BindingIdentifier(name) => Some(name.name.as_str()),
                // The message of an overflow is all that a pattern gets hold of.
                _ => None,
            },
        };
        let slot = self.slot(it.body.span.start + 1);
        let cost = self.run(|meter| walk::walk_catch_clause(meter, it));
        let look = caught.map_or(String::new(), |name| format!("$o({name});"));
        self.fill(slot, cost, |cost| format!("{}{look}", statement(cost)));
    }

    fn visit_spread_element(&mut self, it: &SpreadElement<'a>) {
        self.cost += 1;
        self.wrap(it.argument.span(), "$s(", |meter| {
            meter.visit_expression(&it.argument);
        });
    }

    fn visit_argument(&mut self, it: &Argument<'a>) {
        walk::walk_argument(self, it);
    }

    fn visit_array_expression_element(&mut self, it: &ArrayExpressionElement<'a>) {
        walk::walk_array_expression_element(self, it);
    }

    fn visit_template_literal(&mut self, it: &TemplateLiteral<'a>) {
        self.cost += 1;
        if it.expressions.is_empty() {
            return;
        }
        // Engines make templates by different ways, one of them through a method that a contract can replace.
        // So `a${b}c` becomes `a`+$t(b)+`c`, with the old marks in comments.
        self.insert(it.span.start, "$l(");
        for (quasi, value) in it.quasis.iter().zip(&it.expressions) {
            self.cost += 2;
            self.insert(quasi.span.end, "`/*");
            self.insert(quasi.span.end + 2, "*/+$t(");
            self.visit_expression(value);
            let next = it
                .quasis
                .iter()
                .find(|next| next.span.start > value.span().start);
            let end = next.map_or(it.span.end, |next| next.span.start);
            self.insert(end - 1, ")+/*");
            self.insert(end, "*/`");
        }
        self.insert(it.span.end, ")");
    }

    fn visit_tagged_template_expression(&mut self, it: &TaggedTemplateExpression<'a>) {
        self.cost += 1;
        self.visit_expression(&it.tag);
        for value in &it.quasi.expressions {
            self.visit_expression(value);
        }
    }

    fn visit_binary_expression(&mut self, it: &BinaryExpression<'a>) {
        self.cost += 1;
        let checked = match it.operator {
            BinaryOperator::Addition => {
                !(arithmetic(&it.left)
                    && arithmetic(&it.right)
                    && (numeric(&it.left) || numeric(&it.right)))
            }
            BinaryOperator::Multiplication => !(numeric(&it.left) || numeric(&it.right)),
            BinaryOperator::Exponential => return self.call("$pow", it),
            BinaryOperator::ShiftLeft if !numeric(&it.left) && !numeric(&it.right) => {
                return self.call("$shl", it);
            }
            BinaryOperator::In | BinaryOperator::Instanceof => false,
            _ => false,
        };
        if checked {
            self.wrap(it.span, "$l(", |meter| {
                walk::walk_binary_expression(meter, it);
            });
        } else {
            walk::walk_binary_expression(self, it);
        }
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        self.cost += 1;
        match it.operator {
            AssignmentOperator::Addition | AssignmentOperator::Multiplication => {
                self.wrap(it.span, "$l(", |meter| {
                    walk::walk_assignment_expression(meter, it);
                });
            }
            AssignmentOperator::Exponential | AssignmentOperator::ShiftLeft => self.compound(it),
            _ if spreads(&it.left) => {
                self.visit_assignment_target(&it.left);
                self.wrap(it.right.span(), "$s(", |meter| {
                    meter.visit_expression(&it.right);
                });
            }
            _ => walk::walk_assignment_expression(self, it),
        }
    }

    fn visit_variable_declarator(&mut self, it: &oxc::ast::ast::VariableDeclarator<'a>) {
        self.visit_binding_pattern(&it.id);
        let Some(init) = &it.init else { return };
        let rest = matches!(&it.id, BindingPattern::ArrayPattern(array) if array.rest.is_some())
            || matches!(&it.id, BindingPattern::ObjectPattern(object) if object.rest.is_some());
        if rest {
            self.wrap(init.span(), "$s(", |meter| meter.visit_expression(init));
        } else {
            self.visit_expression(init);
        }
    }
}

fn spreads(target: &AssignmentTarget<'_>) -> bool {
    match target {
        AssignmentTarget::ArrayAssignmentTarget(array) => array.rest.is_some(),
        AssignmentTarget::ObjectAssignmentTarget(object) => object.rest.is_some(),
        _ => false,
    }
}

impl<'a> Meter<'_> {
    /// `a ** b` to `$pow(a,b)`.
    fn call(&mut self, function: &str, it: &BinaryExpression<'a>) {
        self.insert(it.span.start, format!("{function}("));
        self.visit_expression(&it.left);
        self.replace_operator(it.left.span().end, it.right.span().start);
        self.visit_expression(&it.right);
        self.insert(it.span.end, ")");
    }

    /// `a **= b` to `a = $pow(a, b)`, where reading the target twice changes nothing.
    fn compound(&mut self, it: &AssignmentExpression<'a>) {
        let function = if it.operator == AssignmentOperator::Exponential {
            "$pow"
        } else {
            "$shl"
        };
        let target = &self.text[it.left.span().start as usize..it.left.span().end as usize];
        let read = format!("={function}({target},");
        self.visit_assignment_target(&it.left);
        self.insert(it.left.span().end, format!("{read}/*"));
        self.insert(it.right.span().start, "*/");
        self.visit_expression(&it.right);
        self.insert(it.span.end, ")");
    }

    /// Turns the operator between two operands into a comma: it is commented out, so that no text is removed and
    /// every offset stays where it was.
    fn replace_operator(&mut self, from: u32, to: u32) {
        self.insert(from, ",/*");
        self.insert(to, "*/");
    }
}

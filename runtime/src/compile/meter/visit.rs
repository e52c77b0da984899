//! Which syntax node is charged how.

use oxc::allocator::ArenaVec;
use oxc::ast::AstKind;
use oxc::ast::ast::{
    Argument, ArrowFunctionBody, ArrowFunctionExpression, AssignmentExpression, AssignmentPattern,
    AssignmentTargetPropertyIdentifier, AssignmentTargetWithDefault, AwaitExpression,
    BinaryExpression, BindingPattern, CatchClause, Class, ClassElement, DoWhileStatement,
    ForInStatement, ForOfStatement, ForStatement, FormalParameter, Function, IfStatement,
    ImportDeclaration, ImportDeclarationSpecifier, MethodDefinitionKind, PropertyDefinition,
    SpreadElement, StaticBlock, SwitchCase, TaggedTemplateExpression, TemplateLiteral,
    TryStatement, VariableDeclarator, WhileStatement, YieldExpression,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::GetSpan;
use oxc::syntax::operator::{AssignmentOperator, BinaryOperator};
use oxc::syntax::scope::ScopeFlags;

use super::frames::{self, Suspends};
use super::operators::{arithmetic, numeric, spreads};
use super::{Meter, statement};
use crate::compile::rules::{missing, module_name};

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
            let kind = Suspends::of(it.r#async || it.generator);
            self.function_body(body, kind, &it.params);
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.cost += 1;
        let kind = Suspends::of(it.r#async);
        match &it.body {
            ArrowFunctionBody::FunctionBody(body) => self.function_body(body, kind, &it.params),
            body => self.arrow_value(body, kind, &it.params),
        }
    }

    fn visit_yield_expression(&mut self, it: &YieldExpression<'a>) {
        self.cost += 1;
        self.yielding(it);
    }

    fn visit_await_expression(&mut self, it: &AwaitExpression<'a>) {
        self.cost += 1;
        self.awaiting(it);
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
            self.field(value);
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
            self.insert(it.body.span.start + 1, frames::default_constructor(cost));
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
            let back = self.back();
            self.fill(slot, cost, |cost| format!("{}{back}$o();", statement(cost)));
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
        let back = self.back();
        self.fill(slot, cost, |cost| {
            format!("{}{back}{look}", statement(cost))
        });
    }

    fn visit_spread_element(&mut self, it: &SpreadElement<'a>) {
        self.cost += 1;
        self.wrap(it.argument.span(), "$s(", |meter| {
            meter.visit_expression(&it.argument);
        });
    }

    fn visit_arguments(&mut self, it: &ArenaVec<'a, Argument<'a>>) {
        for argument in it {
            match argument {
                Argument::SpreadElement(spread) => {
                    self.cost += 2;
                    self.wrap(spread.argument.span(), "$a(", |meter| {
                        meter.visit_expression(&spread.argument);
                    });
                }
                _ => self.visit_expression(argument.to_expression()),
            }
        }
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

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
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

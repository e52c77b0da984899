//! Operators whose cost depends on their operands, and what is known of operands without running them.

use oxc::ast::ast::{AssignmentExpression, AssignmentTarget, BinaryExpression, Expression};
use oxc::ast_visit::Visit;
use oxc::span::GetSpan;
use oxc::syntax::operator::{AssignmentOperator, BinaryOperator, UnaryOperator};

use super::Meter;

/// Evaluating it runs no code of the contract and takes constant time.
pub(super) fn trivial(value: &Expression<'_>) -> bool {
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
pub(super) fn numeric(value: &Expression<'_>) -> bool {
    match value {
        Expression::NumericLiteral(_) => true,
        Expression::ParenthesizedExpression(inner) => numeric(&inner.expression),
        Expression::UnaryExpression(unary) => unary.operator == UnaryOperator::UnaryPlus,
        _ => false,
    }
}

/// Never a string: what an arithmetic operator other than `+` makes.
pub(super) fn arithmetic(value: &Expression<'_>) -> bool {
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

pub(super) fn spreads(target: &AssignmentTarget<'_>) -> bool {
    match target {
        AssignmentTarget::ArrayAssignmentTarget(array) => array.rest.is_some(),
        AssignmentTarget::ObjectAssignmentTarget(object) => object.rest.is_some(),
        _ => false,
    }
}

impl<'a> Meter<'_> {
    /// `a ** b` to `$pow(a,b)`.
    pub(super) fn call(&mut self, function: &str, it: &BinaryExpression<'a>) {
        self.insert(it.span.start, format!("{function}("));
        self.visit_expression(&it.left);
        self.replace_operator(it.left.span().end, it.right.span().start);
        self.visit_expression(&it.right);
        self.insert(it.span.end, ")");
    }

    /// `a **= b` to `a = $pow(a, b)`, where reading the target twice changes nothing.
    pub(super) fn compound(&mut self, it: &AssignmentExpression<'a>) {
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

//! What a contract may not contain, and what it exports. The check runs on the source as written, so that each
//! refusal names the author's line.

use oxc::ast::AstKind;
use oxc::ast::ast::{
    AssignmentExpression, AssignmentTarget, BindingIdentifier, Class, ExportAllDeclaration,
    ExportFromDeclaration, Expression, IdentifierReference, ImportDeclaration, ImportExpression,
    ImportMeta, LabelIdentifier, RegExpLiteral, TSGlobalDeclaration, V8IntrinsicExpression,
    WithStatement,
};
use oxc::ast_visit::Visit;
use oxc::span::{GetSpan, Span};
use oxc::syntax::module_record::{ExportExportName, ModuleRecord};
use oxc::syntax::operator::AssignmentOperator;

use super::limits::MAX_DEPTH;
use super::position::line_column;
use tana_sandbox::message::{EntryName, ErrorCode, Exports, Failure};

/// The modules that a contract may import, and what each exports beside `default`.
const MODULES: [(&str, &[&str]); 7] = [
    ("core", &["console", "version"]),
    ("utils", &["fetch"]),
    (
        "block",
        &[
            "block",
            "MAX_BATCH_QUERY",
            "getHeight",
            "getTimestamp",
            "getHash",
            "getPreviousHash",
            "getExecutor",
            "getContractId",
            "getGasLimit",
            "getGasUsed",
            "getBalance",
            "getAmount",
            "getUser",
            "getTransaction",
            "getBlock",
            "getLatestBlock",
        ],
    ),
    (
        "tx",
        &["tx", "transfer", "setBalance", "getChanges", "execute"],
    ),
    (
        "data",
        &[
            "data",
            "MAX_KEY_SIZE",
            "MAX_VALUE_SIZE",
            "MAX_TOTAL_SIZE",
            "MAX_KEYS",
            "set",
            "get",
            "delete",
            "has",
            "keys",
            "entries",
            "clear",
            "commit",
        ],
    ),
    (
        "context",
        &["context", "caller", "owner", "input", "contractId"],
    ),
    ("net", &["Request", "Response"]),
];

/// The module's short name for either spelling of its specifier.
pub(super) fn module_name(specifier: &str) -> Option<&'static str> {
    module(specifier).map(|(name, _)| name)
}

/// Why a name cannot be imported from a module. Asked once types are gone: they are imported like values.
pub(super) fn missing(module_name: &str, imported: &str) -> Option<String> {
    let (_, exports) = MODULES
        .into_iter()
        .find(|(module, _)| *module == module_name)?;
    let known = imported == "default" || exports.contains(&imported);
    (!known).then(|| {
        format!(
            "tana/{module_name} has no `{imported}`; it has {}",
            exports.join(", ")
        )
    })
}

fn module(specifier: &str) -> Option<(&'static str, &'static [&'static str])> {
    let name = specifier
        .strip_prefix("tana/")
        .or_else(|| specifier.strip_prefix("tana:"))?;
    MODULES.into_iter().find(|(module, _)| *module == name)
}

pub(super) fn check(source: &str, program: &oxc::ast::ast::Program<'_>) -> Result<(), Failure> {
    let mut rules = Rules {
        source,
        depth: 0,
        found: None,
    };
    rules.visit_program(program);
    rules.found.map_or(Ok(()), Err)
}

pub(super) fn exports(record: &ModuleRecord<'_>) -> Exports {
    let mut exports = Exports::default();
    for entry in &record.local_export_entries {
        let name = match &entry.export_name {
            ExportExportName::Name(name) => name.name.as_str(),
            ExportExportName::Default(_) | ExportExportName::Null => continue,
        };
        match name {
            "init" => exports.init = true,
            "contract" => exports.contract = true,
            "get" => exports.get = Some(EntryName::Lower),
            "Get" if exports.get.is_none() => exports.get = Some(EntryName::Upper),
            "post" => exports.post = Some(EntryName::Lower),
            "Post" if exports.post.is_none() => exports.post = Some(EntryName::Upper),
            _ => {}
        }
    }
    exports
}

struct Rules<'s> {
    source: &'s str,
    depth: u32,
    found: Option<Failure>,
}

impl Rules<'_> {
    fn refuse(&mut self, span: Span, code: ErrorCode, message: impl Into<String>) {
        if self.found.is_none() {
            let (line, column) = line_column(self.source, span.start as usize);
            self.found = Some(Failure::new(code, message).at(line, column));
        }
    }

    fn name(&mut self, span: Span, name: &str) {
        if super::meter::RESERVED.contains(&name) {
            self.refuse(
                span,
                ErrorCode::Reserved,
                format!("`{name}` is reserved for the gas meter; choose another name"),
            );
        }
    }

    fn import(&mut self, it: &ImportDeclaration<'_>) {
        if module(&it.source.value).is_none() {
            let names = MODULES.map(|(name, _)| name).join(", tana/");
            self.refuse(
                it.source.span,
                ErrorCode::Module,
                format!(
                    "there is no module \"{}\"; a contract can import tana/{names}",
                    it.source.value
                ),
            );
        }
    }
}

impl<'a> Visit<'a> for Rules<'_> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.refuse(
                kind.span(),
                ErrorCode::TooDeep,
                format!("the code is nested deeper than {MAX_DEPTH} levels here; split it up"),
            );
        }
    }

    fn leave_node(&mut self, _: AstKind<'a>) {
        self.depth -= 1;
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.name(it.span, &it.name);
        if it.name == "eval" {
            self.refuse(
                it.span,
                ErrorCode::Forbidden,
                "`eval` is not available in a contract",
            );
        }
    }

    fn visit_reg_exp_literal(&mut self, it: &RegExpLiteral<'a>) {
        let pattern = &it.regex.pattern.text;
        if let Err(why) = crate::regexp::check(pattern, &it.regex.flags.to_string()) {
            self.refuse(it.span, ErrorCode::Forbidden, why);
        }
    }

    fn visit_binding_identifier(&mut self, it: &BindingIdentifier<'a>) {
        self.name(it.span, &it.name);
    }

    fn visit_label_identifier(&mut self, it: &LabelIdentifier<'a>) {
        self.name(it.span, &it.name);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "dynamic `import()` is not available; import at the top of the file",
        );
    }

    fn visit_import_meta(&mut self, it: &ImportMeta) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "`import.meta` is not available in a contract",
        );
    }

    fn visit_with_statement(&mut self, it: &WithStatement<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "`with` is not available in a module",
        );
    }

    fn visit_v8_intrinsic_expression(&mut self, it: &V8IntrinsicExpression<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "engine intrinsics are not available in a contract",
        );
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "`declare global` is not available in a contract",
        );
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.phase.is_some() || it.with_clause.is_some() {
            self.refuse(
                it.span,
                ErrorCode::Forbidden,
                "imports take no attributes and no phase in a contract",
            );
        }
        if !it.import_kind.is_type() {
            self.import(it);
        }
        oxc::ast_visit::walk::walk_import_declaration(self, it);
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "a contract exports what it defines itself; remove `export … from`",
        );
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "a contract exports what it defines itself; remove `export *`",
        );
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if let Some(decorator) = it.decorators.first() {
            self.refuse(
                decorator.span(),
                ErrorCode::Forbidden,
                "decorators are not available in a contract",
            );
        }
        oxc::ast_visit::walk::walk_class(self, it);
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        // They become a call that reads the target a second time.
        let twice = matches!(
            it.operator,
            AssignmentOperator::Exponential | AssignmentOperator::ShiftLeft
        );
        if twice && !is_plain(&it.left) {
            self.refuse(
                it.span,
                ErrorCode::Forbidden,
                "`**=` and `<<=` take a name or a property of a name; write the operation out",
            );
        }
        oxc::ast_visit::walk::walk_assignment_expression(self, it);
    }

    fn visit_decorator(&mut self, it: &oxc::ast::ast::Decorator<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "decorators are not available in a contract",
        );
    }

    fn visit_accessor_property(&mut self, it: &oxc::ast::ast::AccessorProperty<'a>) {
        self.refuse(
            it.span,
            ErrorCode::Forbidden,
            "`accessor` properties are not available in a contract",
        );
    }
}

/// Whether reading it twice is reading it once: a name, or a property of one.
fn is_plain(target: &AssignmentTarget<'_>) -> bool {
    let name = |object: &Expression<'_>| {
        matches!(
            object,
            Expression::Identifier(_) | Expression::ThisExpression(_)
        )
    };
    match target {
        AssignmentTarget::AssignmentTargetIdentifier(_) => true,
        AssignmentTarget::StaticMemberExpression(member) => name(&member.object),
        AssignmentTarget::PrivateFieldExpression(member) => name(&member.object),
        AssignmentTarget::ComputedMemberExpression(member) => {
            name(&member.object)
                && matches!(
                    &member.expression,
                    Expression::Identifier(_)
                        | Expression::NumericLiteral(_)
                        | Expression::StringLiteral(_)
                )
        }
        _ => false,
    }
}

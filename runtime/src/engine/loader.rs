//! Which modules a contract reaches: those of `js/`, under either spelling, and nothing else.

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSpecifier,
    ResolutionKind,
};
use deno_error::JsErrorBox;

use crate::compile::module_name;

/// Where a contract seems to come from: its file name never matters to it.
pub(super) const MAIN: &str = "contract:main";

pub(super) struct Modules;

impl ModuleLoader for Modules {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let url = match module_name(specifier) {
            // The engine lets modules of this scheme, and no others, reach the extension's own.
            Some(name) => format!("node:tana/{name}"),
            None if specifier == MAIN && kind == ResolutionKind::MainModule => specifier.to_owned(),
            // Metered code imports its meter; a contract that writes the same was refused when it was compiled.
            None if specifier == "tana:meter" => "node:tana/meter".to_owned(),
            // Inside the extension, while the snapshot is made.
            None if referrer.starts_with("ext:") || referrer.starts_with("node:") => {
                specifier.to_owned()
            }
            None => {
                return Err(JsErrorBox::generic(format!(
                    "there is no module \"{specifier}\""
                )));
            }
        };
        ModuleSpecifier::parse(&url).map_err(JsErrorBox::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _: Option<&ModuleLoadReferrer>,
        _: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(Err(JsErrorBox::generic(format!(
            "there is no module \"{specifier}\""
        ))))
    }
}

//! Which modules the engine loads: the contract's own, and nothing that it could ask for.

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSpecifier,
    ResolutionKind,
};
use deno_error::JsErrorBox;

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
        // Compiled code imports nothing: what it imported has become its first statements. Inside the extension, an
        // engine may ask again for what is linked already.
        let ours =
            specifier == MAIN && kind == ResolutionKind::MainModule || referrer.starts_with("ext:");
        if !ours {
            return Err(no_module(specifier));
        }
        ModuleSpecifier::parse(specifier).map_err(JsErrorBox::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _: Option<&ModuleLoadReferrer>,
        _: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(Err(no_module(specifier.as_str())))
    }
}

fn no_module(specifier: &str) -> ModuleLoaderError {
    JsErrorBox::generic(format!("there is no module \"{specifier}\""))
}

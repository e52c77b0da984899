//! `tana new user`: a user's key.

use clap::Args;
use serde_json::json;
use tana_home::UserFile;
use tana_protocol::SecretKey;

use super::key_said;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::submit::username;

#[derive(Debug, Args)]
pub(crate) struct NewUser {
    /// The user's name: a-z, 0-9, _ and -
    name: String,
    /// The name for people; default: the name
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

impl NewUser {
    pub(super) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let name = username(&self.name)?;
        let home = context.home();
        home.create()?;
        let path = home.user_file(name.bare());
        let (file, what) = match UserFile::find(&path)? {
            Some(found) => (found, "is there already; nothing was changed"),
            None => {
                let key = SecretKey::generate();
                let file = UserFile {
                    username: name.clone(),
                    display_name: self.display_name.unwrap_or_else(|| name.bare().to_owned()),
                    user_id: None,
                    chain_id: None,
                    public_key: key.public(),
                    secret_key: key,
                };
                file.create(&path)?;
                (file, "made")
            }
        };
        key_said(
            context.out,
            &json!({"username": file.username, "publicKey": file.public_key, "file": path}),
            &format!("user {} {what}", file.username),
            &file.public_key,
        )?;
        context
            .out
            .hint(&format!("next: tana deploy user {} --wait", name.bare()))?;
        Ok(Exit::Done)
    }
}

//! Every action of the console, once: where it works, its key, what the footer and the help say.

use crate::model::Screen;

/// Where an action works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Everywhere,
    On(Screen),
}

/// What is known about an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Info {
    pub(crate) scope: Scope,
    /// Its name in the palette and in the configuration's key table.
    pub(crate) name: &'static str,
    /// Its keys, the first one shown.
    pub(crate) keys: &'static [&'static str],
    /// One or two words in the footer; none there when empty.
    pub(crate) footer: &'static str,
    /// What it does, in the help.
    pub(crate) help: &'static str,
}

macro_rules! actions {
    ($($variant:ident $scope:expr, $name:literal, [$($key:literal),*], $footer:literal, $help:literal;)*) => {
        /// Everything that a key, the palette or a click can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub(crate) enum Action { $($variant),* }

        impl Action {
            /// Every action, in the order of the help.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub(crate) fn info(self) -> Info {
                match self {
                    $(Self::$variant => Info { scope: $scope, name: $name, keys: &[$($key),*], footer: $footer, help: $help }),*
                }
            }
        }
    };
}

use Scope::{Everywhere, On};
use Screen::{Approvals, Blocks, Content, Contracts, Login, Logs, Mesh, Queue, Services};

actions! {
    // Services
    ServiceLog      On(Services), "log", ["l"], "log", "show the log of the service";
    RestartService  On(Services), "restart", ["r"], "restart", "restart the service";
    StopService     On(Services), "stop", ["x"], "stop", "stop the service, after asking";
    StartService    On(Services), "start", ["S"], "start", "start the service, or the node when it does not run";
    OpenEndpoint    On(Services), "endpoint", ["o"], "endpoint", "copy the address of the service";
    // Mesh
    ToggleGraph     On(Mesh), "graph", ["v"], "graph or table", "show or hide the graph";
    MeshAll         On(Mesh), "denied", ["x"], "", "show or hide denied nodes";
    // Approvals
    Approve         On(Approvals), "approve", ["a"], "approve", "approve the node, after asking, with the sovereign key";
    Deny            On(Approvals), "deny", ["d"], "deny", "deny the node, after asking, with the sovereign key";
    NextSigner      On(Approvals), "signer", ["w"], "", "sign with the next key: the key file's, or an ssh-agent's that is a sovereign's";
    // Blocks
    VerifyBlock     On(Blocks), "verify", ["v"], "verify", "verify the block: here and by replay on the ledger";
    GoToHeight      On(Blocks), "go", ["h"], "go to height", "show the block of a height";
    Newest          On(Blocks), "newest", ["n"], "newest", "back to the newest block";
    ReceiptDown     On(Blocks), "next-transaction", ["]", "right"], "", "next transaction of the block";
    ReceiptUp       On(Blocks), "previous-transaction", ["[", "left"], "", "previous transaction of the block";
    // Queue
    RetryLetter     On(Queue), "retry", ["a"], "queue again", "queue a dead letter again, after asking";
    DropLetter      On(Queue), "drop", ["d"], "drop", "delete a dead letter, after asking";
    ReloadQueue     On(Queue), "reload-queue", ["r"], "reload", "ask the ledger for the queue again";
    // Contracts
    EditContract    On(Contracts), "edit", ["e", "i"], "edit", "edit the contract in the playground; Esc stops typing, and leaves it";
    RunContract     On(Contracts), "run", ["f5", "x"], "run", "run it here, on no chain: what it prints, gives and changes, and gas by line";
    DeployContract  On(Contracts), "deploy", ["f8", "D"], "deploy", "deploy what is in the playground, after asking";
    SaveContract    On(Contracts), "write", ["ctrl-s"], "save", "save what is in the playground to its file";
    NewContract     On(Contracts), "contract", ["n"], "new", "make a contract in this directory and open it";
    ReloadContracts On(Contracts), "reload-contracts", ["r"], "reload", "ask the ledger for the contracts again";
    RunInput        On(Contracts), "input", ["I"], "", "what context.input() gives in the playground, as JSON";
    RunEntry        On(Contracts), "entry", ["o"], "", "call the next export: contract, init, get, post";
    NextAuthor      On(Contracts), "author", ["u"], "", "deploy as the next user whose key is here";
    // Login
    NewSession      On(Login), "new", ["n"], "new code", "make a new session and code";
    CopyLink        On(Login), "link", ["c"], "copy link", "copy what the code says";
    PhoneScan       On(Login), "scan", ["x"], "scan as test phone", "scan the code, as a test phone";
    PhoneApprove    On(Login), "approve-login", ["a"], "approve as test phone", "approve the login, as a test phone with a user's key of this machine";
    PhoneReject     On(Login), "reject", ["r"], "reject", "reject the login, as a test phone";
    PhoneUser       On(Login), "user", ["u"], "", "next user for the test phone";
    // Content
    ReloadContent   On(Content), "reload-content", ["r"], "reload", "ask the ledger and the content store again";
    // Logs
    Follow          On(Logs), "follow", ["f"], "follow", "keep to the newest line, or stay";
    Wrap            On(Logs), "wrap", ["w"], "wrap", "wrap long lines, or cut them";
    Level           On(Logs), "level", ["e"], "level", "show from the next level on: all, info, warnings, errors";
    Around          On(Logs), "around", ["c"], "lines around", "show 2, 5 or 20 lines around each that the filter keeps, or none";
    MarkLine        On(Logs), "mark", ["m"], "mark", "mark the line at the bottom, or take its mark away";
    MarkUp          On(Logs), "mark-up", ["["], "", "to the marked line before";
    MarkDown        On(Logs), "mark-down", ["]"], "", "to the marked line after";
    CopyLines       On(Logs), "copy-lines", ["Y"], "", "copy the lines on the screen";
    LogService      On(Logs), "service", ["v"], "service", "show the next service only, then all again";
    // Everywhere
    Up              Everywhere, "up", ["up", "k"], "", "one up";
    Down            Everywhere, "down", ["down", "j"], "", "one down";
    PageUp          Everywhere, "page-up", ["pgup", "ctrl-b"], "", "a page up";
    PageDown        Everywhere, "page-down", ["pgdn", "ctrl-f"], "", "a page down";
    Top             Everywhere, "top", ["g", "home"], "", "to the first";
    Bottom          Everywhere, "bottom", ["G", "end"], "", "to the last";
    Open            Everywhere, "details", ["enter"], "details", "details on the whole screen, and back";
    Back            Everywhere, "back", ["esc"], "", "back: close, clear the filter, leave details";
    Copy            Everywhere, "copy", ["y"], "", "copy key, hash or address of what is selected";
    SaveScreen      Everywhere, "save", ["s"], "", "keep the screen in files: as text and as a picture";
    Export          Everywhere, "export", ["E"], "", "keep the list in files, as CSV and JSON: whole, in its order, under its filter";
    NextScreen      Everywhere, "next", ["tab"], "", "next screen; a digit goes to its screen";
    PreviousScreen  Everywhere, "previous", ["shift-tab"], "", "previous screen";
    Decide          Everywhere, "decide", ["!"], "", "to what waits for your decision: nodes and what phones are asked to sign";
    Problems        Everywhere, "problems", ["p"], "", "what is wrong now: since when, why, and what to do about it";
    Palette         Everywhere, "command", [":"], "command", "type a command or a screen's name";
    Filter          Everywhere, "filter", ["/"], "filter", "filter the list: every word must match, ~ before a word finds it fuzzily";
    Theme           Everywhere, "theme", ["t"], "", "next theme";
    Help            Everywhere, "help", ["?"], "keys", "this help";
    Redraw          Everywhere, "redraw", ["ctrl-l"], "", "draw the screen anew";
    Suspend         Everywhere, "suspend", ["ctrl-z"], "", "to the shell; fg comes back";
    Quit            Everywhere, "quit", ["q", "ctrl-c"], "leave", "leave the console; services keep running";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_since_the_palette_and_the_configuration_use_them() {
        for (i, a) in Action::ALL.iter().enumerate() {
            for b in &Action::ALL[i + 1..] {
                assert_ne!(a.info().name, b.info().name, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn every_action_has_a_key_and_says_what_it_does() {
        for action in Action::ALL {
            assert!(!action.info().keys.is_empty(), "{action:?}");
            assert!(action.info().help.len() > 5, "{action:?}");
        }
    }
}

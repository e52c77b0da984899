//! Every setting there is: its name in `config.json`, its name in the environment, what it says.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in `config.json`.
    pub key: &'static str,
    /// Its name in the environment, which `config.json` accepts as well.
    pub variable: &'static str,
    /// What it says, its unit and its default.
    pub about: &'static str,
}

const fn setting(key: &'static str, variable: &'static str, about: &'static str) -> Setting {
    Setting {
        key,
        variable,
        about,
    }
}

/// All of them.
pub const SETTINGS: &[Setting] = &[
    setting(
        "chain",
        "TANA_CHAIN",
        "name of the chain file in chains/; default: the only one there",
    ),
    setting(
        "nodeId",
        "TANA_NODE_ID",
        "this node's name in the mesh; default validator-1",
    ),
    setting(
        "role",
        "TANA_ROLE",
        "full, validator, api or coordinator; default full",
    ),
    setting(
        "portOffset",
        "TANA_PORT_OFFSET",
        "what all ports are moved by; default 0",
    ),
    setting(
        "host",
        "TANA_HOST",
        "address that the daemons bind; default 127.0.0.1",
    ),
    setting("ledgerPort", "PORT", "ledger's port; default 8080"),
    setting(
        "identityPort",
        "IDENTITY_PORT",
        "identity's port; default 8090",
    ),
    setting("edgePort", "EDGE_PORT", "edge's port; default 8180"),
    setting("meshPort", "MESH_PORT", "mesh's port; default 8190"),
    setting(
        "t4Port",
        "T4_PORT",
        "t4's port; default 8181 next to an edge, 8180 without",
    ),
    setting(
        "producerPort",
        "PRODUCER_PORT",
        "port of the producer's health and metrics; default 8070",
    ),
    setting(
        "databaseUrl",
        "DATABASE_URL",
        "ledger's database, sqlite: or postgres:; default SQLite in data/",
    ),
    setting(
        "identityDbUrl",
        "IDENTITY_DB_URL",
        "identity's database, sqlite: or postgres:; default SQLite in data/",
    ),
    setting(
        "redisUrl",
        "REDIS_URL",
        "Redis for the queue; default: the queue embedded in data/",
    ),
    setting(
        "meshDbPath",
        "MESH_DB_PATH",
        "mesh's SQLite file; default in data/",
    ),
    setting(
        "contentDir",
        "CONTENT_DIR",
        "where t4 keeps content; default data/content",
    ),
    setting(
        "meshUrl",
        "MESH_URL",
        "mesh that this node registers with; default its own",
    ),
    setting(
        "ledgerUrl",
        "TANA_LEDGER_URL",
        "ledger that is asked; default this node's",
    ),
    setting("t4Url", "T4_URL", "t4 that is asked; default this node's"),
    setting(
        "identityUrl",
        "IDENTITY_URL",
        "identity service as phones reach it; default this node's",
    ),
    setting(
        "meshOfflineAfterMs",
        "MESH_OFFLINE_AFTER_MS",
        "ms without a heartbeat until a node is offline; default 300000",
    ),
    setting(
        "heartbeatIntervalMs",
        "HEARTBEAT_INTERVAL_MS",
        "ms between this node's heartbeats; default 120000",
    ),
    setting(
        "meshThreshold",
        "MESH_THRESHOLD",
        "sovereigns that must agree on who is in the mesh and on further sovereigns; default 1",
    ),
    setting(
        "meshMinimumStake",
        "MESH_MINIMUM_STAKE",
        "what the account of a node's key must hold on the chain to be approved, such as 100 USD; default nothing",
    ),
    setting(
        "hangLimitMs",
        "HANG_LIMIT_MS",
        "ms after which a service that runs and answers nothing is started anew; default 60000, 0 for never",
    ),
    setting(
        "blockIntervalMs",
        "BLOCK_INTERVAL_MS",
        "least ms between two blocks; default 200",
    ),
    setting(
        "emptyBlockMs",
        "EMPTY_BLOCK_MS",
        "ms after which an empty block is sealed; default: none is",
    ),
    setting(
        "queueLimit",
        "QUEUE_LIMIT",
        "queued transactions from which on more are refused; default 100000",
    ),
    setting(
        "contentMaxBytes",
        "CONTENT_MAX_BYTES",
        "largest content in bytes; default 1073741824",
    ),
    setting(
        "contentQuotaBytes",
        "CONTENT_QUOTA_BYTES",
        "all content together, in bytes; default 0: what the disk holds",
    ),
    setting(
        "contentGraceMs",
        "CONTENT_GRACE_MS",
        "ms that content which no block references is kept; default 604800000, 0 for ever",
    ),
    setting(
        "contentScrubIntervalMs",
        "CONTENT_SCRUB_INTERVAL_MS",
        "ms between two readings of all content against their hashes; default 604800000, 0 for never",
    ),
    setting(
        "corsOrigins",
        "CORS_ORIGINS",
        "origins that browsers may call from, separated by commas; default none",
    ),
    setting(
        "rateLimit",
        "RATE_LIMIT",
        "requests a second that one client may make; default 2000, 0 for no limit",
    ),
    setting(
        "sessionRate",
        "SESSION_RATE",
        "login sessions a second that one client may make; default 50, 0 for no limit",
    ),
    setting(
        "failureRate",
        "FAILURE_RATE",
        "refused logins and tokens a second of one client before it has to wait; default 20, 0 for no limit",
    ),
    setting(
        "pushProvider",
        "PUSH_PROVIDER",
        "who takes notifications to phones: none, webhook or expo; default none",
    ),
    setting(
        "pushUrl",
        "PUSH_URL",
        "where notifications are posted to; default with expo: its push API",
    ),
    setting(
        "pushSecret",
        "PUSH_SECRET",
        "what is sent to pushUrl as bearer token; default none",
    ),
    setting(
        "appSchemes",
        "APP_SCHEMES",
        "URL schemes of apps that a login may return to, besides http and https; default none",
    ),
    setting(
        "logLevel",
        "TANA_LOG",
        "error, warn, info, debug or trace; default info",
    ),
    setting(
        "theme",
        "TANA_THEME",
        "the console's theme; default tana-dark",
    ),
    setting(
        "contexts",
        "TANA_CONTEXTS",
        "other nodes by name: {\"fra\": {\"node\": \"https://10.0.0.5\", \"via\": [\"ssh\", \"-T\", \"10.0.0.5\"]}}; default none",
    ),
    setting(
        "keys",
        "TANA_KEYS",
        "the console's keys, by action: {\"approve\": \"f2\", \"quit\": [\"q\", \"f10\"]}; default: what ? in the console lists",
    ),
];

/// The setting that `key` names in `config.json`, in either spelling.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.key == key || setting.variable == key)
}

/// The key that `key` was probably meant to be.
pub(crate) fn nearest_key(key: &str) -> &'static str {
    nearest(key, SETTINGS.iter().map(|setting| setting.key)).unwrap_or("chain")
}

/// What `word` was probably meant to be: the candidate that most characters agree with, from the front and from the back.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let shared = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let prefix = candidate
            .chars()
            .zip(wanted.chars())
            .take_while(|(a, b)| a == b)
            .count();
        let suffix = candidate
            .chars()
            .rev()
            .zip(wanted.chars().rev())
            .take_while(|(a, b)| a == b)
            .count();
        prefix + suffix
    };
    candidates
        .into_iter()
        .max_by_key(|candidate| shared(candidate))
}

-- The registry as version 1 of its schema makes it. Later versions are numbered steps in migrations/.

-- One row a key. It outlives the items of the key, so that a version number is never used again.
CREATE TABLE keys (
    key          BLOB PRIMARY KEY,     -- 16 bytes: digest of (key scheme, uri, params)
    uri          TEXT NOT NULL,
    last_version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX keys_uri ON keys (uri);

-- One row a process that has written here. It lives as long as its lock file owners/<name>.lock is locked.
CREATE TABLE owners (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    host          TEXT NOT NULL,
    boot_id       TEXT NOT NULL,       -- empty where the system tells none
    pid_namespace TEXT NOT NULL,
    pid           INTEGER NOT NULL,
    pid_started   INTEGER NOT NULL,    -- clock ticks after boot, 0 where unknown: tells a reused pid
    since         INTEGER NOT NULL,    -- microseconds since 1970, UTC, as all times here
    ended         INTEGER              -- when somebody found it dead
);

CREATE INDEX owners_running ON owners (id) WHERE ended IS NULL;

-- One row a version of a key. Narrow: a hit reads this row and, for a small value, one row of inline_values.
CREATE TABLE items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    key        BLOB NOT NULL REFERENCES keys (key),
    version    INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    scope      BLOB NOT NULL,          -- the code, or empty: what makes two computations of a key the same work
    token      BLOB NOT NULL,          -- 16 random bytes: names the item's folder; a claim is known by it
    owner      INTEGER,                -- of a claim; NULL for items made by hand
    form       TEXT,                   -- 'value', 'file' (or folder), 'files'; NULL while there are no bytes
    serializer TEXT,                   -- of a value
    size       INTEGER,                -- bytes
    digest     BLOB,                   -- XXH3-128 of the bytes
    filename   TEXT,                   -- in the item's folder, for 'files' a JSON object; NULL: inline
    created    INTEGER NOT NULL,
    ended      INTEGER,                -- when it became READY or FAILED
    duration   INTEGER,                -- microseconds that the function took
    attempts   INTEGER NOT NULL,
    former     INTEGER,                -- the status before TRASH
    cause      TEXT,                   -- why it is FAILED or TRASH
    code       BLOB,                   -- digest of the code that made it
    ext        TEXT,
    label      TEXT
);

CREATE UNIQUE INDEX items_version ON items (key, version);

-- At most one claim per (key, scope). It also finds the claims of an owner: only running ones are in it.
CREATE UNIQUE INDEX items_claim ON items (key, scope) WHERE status = 1 AND owner IS NOT NULL;

-- What a hit never reads.
CREATE TABLE details (
    item      INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    function  TEXT,                    -- module and qualified name
    params    TEXT,                    -- JSON for people: digest, type and preview of each
    error     TEXT,                    -- the traceback of a failure
    arguments BLOB                     -- pickle of (args, kwargs), where the function stores them
);

-- The text behind a code digest, once for all items that this code made.
CREATE TABLE codes (
    digest BLOB PRIMARY KEY,
    parts  TEXT NOT NULL               -- JSON: name of the part -> its text
) WITHOUT ROWID;

CREATE TABLE inline_values (
    item INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    data BLOB NOT NULL
);

-- The column value has no affinity: SQLite compares 1 and 1.0 as equal, 123 and '123' as different.
CREATE TABLE attributes (
    item      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    namespace TEXT NOT NULL,           -- empty for none
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,           -- the Python type to give back
    value,
    PRIMARY KEY (item, namespace, name)
) WITHOUT ROWID;

CREATE INDEX attributes_value ON attributes (name, value);

-- Digests of files that were keyed by their content, so that an unchanged file is not read twice.
CREATE TABLE file_digests (
    path     BLOB PRIMARY KEY,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    digest   BLOB NOT NULL
) WITHOUT ROWID;

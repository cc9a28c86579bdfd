-- The registry as version 1 of its schema makes it. Later versions are numbered steps in migrations/.

-- The texts of uris, once each; never deleted, so that a number stays what it was.
CREATE TABLE uris (
    id  INTEGER PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE
);

-- The last version of keys that lost records for good, so that a version number is never used again.
CREATE TABLE last_versions (
    key     BLOB PRIMARY KEY,
    version INTEGER NOT NULL
) WITHOUT ROWID;

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
    user          TEXT,                -- for people, as the three below
    program       TEXT,
    python        TEXT,
    revision      TEXT,                -- the commit of its checkout; NULL outside of one
    ended         INTEGER              -- when somebody found it dead
);

CREATE INDEX owners_running ON owners (id) WHERE ended IS NULL;

-- One row a version of a key. Written twice, at claim and at commit; a hit reads this row alone, up to `data`.
CREATE TABLE items (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    key         BLOB NOT NULL,         -- 16 bytes: digest of (key scheme, uri, params)
    version     INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    scope       BLOB NOT NULL,         -- the code, or empty: what makes two computations of a key the same work
    token       BLOB NOT NULL,         -- 16 random bytes: names the item's folder; a claim is known by it
    owner       INTEGER,               -- of a claim; NULL for items made by hand
    form        TEXT,                  -- 'value', 'file' (or folder), 'files', 'stream'; NULL while there are no bytes
    serializer  TEXT,                  -- of a value
    compression TEXT,                  -- of a value, and the size of its content, as in zstd:1234; NULL for none
    size        INTEGER,               -- bytes
    digest      BLOB,                  -- XXH3-128 of the bytes
    signature   BLOB,                  -- state of the file when its digest was last found right; NULL: inline
    mac         BLOB,                  -- HMAC-SHA256 of a signed value; NULL when it is not signed
    filename    TEXT,                  -- in the item's folder, for 'files' a JSON object; NULL: inline
    created     INTEGER NOT NULL,
    ended       INTEGER,               -- when it became READY or FAILED
    duration    INTEGER,               -- microseconds that the function took
    attempts    INTEGER NOT NULL,
    pinned      INTEGER NOT NULL DEFAULT 0, -- 1: no clean-up may remove it
    former      INTEGER,               -- the status before TRASH
    trashed     INTEGER,               -- when it went to TRASH
    former_cause TEXT,                 -- why it was FAILED before TRASH
    cause       TEXT,                  -- why it is FAILED or TRASH
    code        BLOB,                  -- digest of the code that made it
    ext         TEXT,
    label       TEXT,
    uri         INTEGER NOT NULL REFERENCES uris (id),
    function    TEXT,                  -- module and qualified name; NULL for items made by hand
    data        BLOB,                  -- a small value itself
    params      TEXT NOT NULL          -- JSON for people: digest, type and preview of each
);

CREATE UNIQUE INDEX items_version ON items (key, version);

-- The newest of a family come from its end, and a miss writes only there.
CREATE INDEX items_uri ON items (uri);

-- At most one claim per (key, scope). It also finds the claims of an owner: only running ones are in it.
CREATE UNIQUE INDEX items_claim ON items (key, scope) WHERE status = 1 AND owner IS NOT NULL;

-- Items without a label cost nothing here.
CREATE INDEX items_label ON items (label) WHERE label IS NOT NULL;

-- Nor do items that have not failed here.
CREATE INDEX items_failed ON items (status) WHERE status = 2;

-- Nor do items outside the trash here.
CREATE INDEX items_trash ON items (trashed) WHERE status = -1;

-- Whoever deletes records, and by whatever statement: their versions stay used.
CREATE TRIGGER items_deleted AFTER DELETE ON items BEGIN
    INSERT INTO last_versions (key, version) VALUES (old.key, old.version)
    ON CONFLICT (key) DO UPDATE SET version = max(version, excluded.version);
END;

-- What few items have and no hit reads.
CREATE TABLE details (
    item      INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    error     TEXT,                    -- the traceback of a failure
    arguments BLOB                     -- pickle of (args, kwargs), where the function stores them
);

-- When and how often items were used, written in batches: reading never rewrites an item.
CREATE TABLE uses (
    item  INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    count INTEGER NOT NULL,
    last  INTEGER NOT NULL
);

-- How far work has come that is done a little at a time.
CREATE TABLE marks (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- The text behind a code digest, once for all items that this code made.
CREATE TABLE codes (
    digest BLOB PRIMARY KEY,
    parts  TEXT NOT NULL               -- JSON: name of the part -> its text
) WITHOUT ROWID;

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

-- Waits of those who hold a claim themselves, while they last: of each claim held, what it cannot end without.
CREATE TABLE waits (
    item  INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE, -- the claim that is held
    wait  BLOB NOT NULL,               -- 16 random bytes: names the wait
    key   BLOB NOT NULL,               -- with scope: what is waited for, whoever claims it
    scope BLOB NOT NULL,
    PRIMARY KEY (item, wait)
) WITHOUT ROWID;

-- Every statement of the registry but the ones that search.py composes. A statement is named by the line
-- above it and read by statements.py. Positions of parameters are those of the code that calls it.

-- name: best
-- The newest READY item of a key that this code made, with bytes of one form and its inline value. The road of a hit.
SELECT id, version, token, serializer, size, digest, filename, data, signature, mac, compression
FROM items
WHERE key = ? AND code = ? AND status = 3 AND form = ? AND version < ?
ORDER BY version DESC LIMIT 1

-- name: best_of_any_code
SELECT id, version, token, serializer, size, digest, filename, data, signature, mac, compression
FROM items
WHERE key = ? AND code IS NOT NULL AND status = 3 AND form = ? AND version < ?
ORDER BY version DESC LIMIT 1

-- name: hit_of
-- One READY item as ``best`` gives it.
SELECT id, version, token, serializer, size, digest, filename, data, signature, mac, compression
FROM items
WHERE id = ? AND status = 3

-- name: ready
-- Which of many keys have a READY item; the marks of the keys are put in by number.
SELECT DISTINCT key FROM items
WHERE status = 3 AND form = ? AND code IS NOT NULL AND (? IS NULL OR code = ?) AND key IN (:keys)

-- name: last_end
-- How the last try of a (key, scope) ended; tries that tell nothing of the function are passed over.
SELECT i.status, i.ended, d.error FROM items AS i LEFT JOIN details AS d ON d.item = i.id
WHERE i.key = ? AND i.scope = ? AND (i.status IN (3, -1) OR (i.status = 2 AND i.cause = 'raised'))
ORDER BY i.version DESC LIMIT 1

-- name: running
-- The claim that is computing a (key, scope).
SELECT id, version, owner, token FROM items
WHERE key = ? AND scope = ? AND status = 1 AND owner IS NOT NULL

-- name: before_claim
-- What a claim asks again once it holds the write lock: whether somebody computes the (key, scope); whether there is a
-- READY item above a version, of this code or (true) of any; the next version; the number of the uri.
SELECT
    EXISTS (SELECT 1 FROM items WHERE key = ? AND scope = ? AND status = 1 AND owner IS NOT NULL),
    EXISTS (
        SELECT 1 FROM items
        WHERE key = ? AND (? OR code = ?) AND code IS NOT NULL AND status = 3 AND form = ? AND version > ?
            AND version < 4611686018427387904 -- as `best` does: a text would be above every number, and never found
    ),
    max(
        coalesce((SELECT CAST(max(version) AS INTEGER) FROM items WHERE key = ? AND version < 4611686018427387904), 0),
        coalesce((SELECT version FROM last_versions WHERE key = ?), 0)
    ) + 1,
    (SELECT id FROM uris WHERE uri = ?)

-- name: outcome
-- How a claim that somebody waits for stands.
SELECT i.status, i.cause, i.owner, d.error FROM items AS i LEFT JOIN details AS d ON d.item = i.id WHERE i.id = ?

-- name: next_version
-- Of a record made by hand; and the number of its uri.
SELECT
    max(
        coalesce((SELECT CAST(max(version) AS INTEGER) FROM items WHERE key = ? AND version < 4611686018427387904), 0),
        coalesce((SELECT version FROM last_versions WHERE key = ?), 0)
    ) + 1,
    (SELECT id FROM uris WHERE uri = ?)

-- name: insert_uri
INSERT INTO uris (uri) VALUES (?)

-- name: insert_claim
INSERT INTO items (key, version, status, scope, token, owner, created, attempts, code, label, uri, function, params)
VALUES (?, ?, 1, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)

-- name: seal
-- What else a signature covers, and the signature.
SELECT code, mac FROM items WHERE id = ?

-- name: store_arguments
INSERT INTO details (item, arguments) VALUES (?, ?)

-- name: arguments
SELECT arguments FROM details WHERE item = ?

-- name: failed
-- Items that failed and that nothing has made up for: no later version of the same work is READY or being computed.
SELECT i.id FROM items AS i
WHERE i.status = 2 AND NOT EXISTS (
    SELECT 1 FROM items AS n
    WHERE n.key = i.key AND n.scope = i.scope AND n.version > i.version AND n.status IN (1, 2, 3)
) AND substr(i.scope, 1, 8) <> x'61646f7074696e67' -- copied from another cache when its process ended
ORDER BY i.id

-- name: insert_code
INSERT OR IGNORE INTO codes (digest, parts) VALUES (?, ?)

-- name: commit
-- Touches a row only while it is still this token's claim: a zombie's late commit finds none.
UPDATE items SET status = 3, form = ?, serializer = ?, compression = ?, size = ?, digest = ?, signature = ?, mac = ?,
    filename = ?, ext = coalesce(?, ext), data = ?, ended = ?, duration = ?, attempts = ?
WHERE id = ? AND token = ? AND status = 1

-- name: sign
-- The digest was found right with the file in this state.
UPDATE items SET signature = ? WHERE id = ? AND token = ?

-- name: is_ready
-- Whether a rebuild has found what a claim was about to commit.
SELECT 1 FROM items WHERE key = ? AND version = ? AND token = ? AND status = 3

-- name: fail
UPDATE items SET status = 2, cause = ?, ended = ?, duration = ?, attempts = ? WHERE id = ? AND token = ? AND status = 1

-- name: error_text
INSERT INTO details (item, error) VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET error = excluded.error

-- name: no_error_text
UPDATE details SET error = NULL WHERE item = ?

-- name: release
-- For a claimant that cannot know whether its claim was committed: the token alone finds it.
UPDATE items SET status = 2, cause = 'abandoned' WHERE token = ? AND status = 1 AND owner IS NOT NULL

-- name: reap
UPDATE items SET status = 2, cause = 'abandoned' WHERE status = 1 AND owner IS NOT NULL AND owner = ?

-- name: insert_owner
INSERT INTO owners (name, host, boot_id, pid_namespace, pid, pid_started, since, user, program, python, revision)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: owner
SELECT id, name, boot_id, pid_namespace, pid, pid_started, host, since FROM owners WHERE id = ?

-- name: maker
-- For people: who has computed an item.
SELECT host, pid, user, program, python, revision, ended FROM owners WHERE id = ?

-- name: running_claims
-- For people: what is being computed, and by whom.
SELECT i.id, coalesce(i.function, u.uri), i.created, o.id, o.host, o.pid, o.user
FROM items AS i JOIN uris AS u ON u.id = i.uri JOIN owners AS o ON o.id = i.owner
WHERE i.status = 1 AND i.owner IS NOT NULL ORDER BY i.created

-- name: running_owners
SELECT id, name, boot_id, pid_namespace, pid, pid_started, host, since FROM owners WHERE ended IS NULL
ORDER BY random() LIMIT ?

-- name: end_owner
UPDATE owners SET ended = ? WHERE id = ?

-- name: trash
-- An item leaves the sight of look-ups. A running claim is left alone.
UPDATE items SET former = status, status = -1, former_cause = cause, cause = ?, trashed = ?
WHERE id = ? AND status IN (0, 2, 3)

-- name: trash_key
UPDATE items SET former = status, status = -1, former_cause = cause, cause = 'removed', trashed = ?
WHERE key = ? AND status IN (0, 2, 3)
RETURNING version, token

-- name: insert_item
INSERT INTO items
    (key, version, status, scope, token, filename, created, ended, attempts, ext, label, uri, params)
VALUES (?, ?, ?, x'', ?, ?, ?, ?, 0, ?, ?, ?, ?)

-- name: status
SELECT status FROM items WHERE id = ?

-- name: move
-- One move of an item made by hand: only from the status that the caller saw.
UPDATE items SET status = ?, form = ?, size = ?, digest = ?, signature = ?, mac = ?, ended = ?, cause = ?
WHERE id = ? AND status = ? AND owner IS NULL

-- name: insert_attribute
INSERT INTO attributes (item, namespace, name, kind, value) VALUES (?, ?, ?, ?, ?)

-- name: attributes
SELECT namespace, name, kind, value FROM attributes WHERE item = ? ORDER BY namespace, name

-- name: inline
SELECT data FROM items WHERE id = ?

-- name: code_parts
SELECT parts FROM codes WHERE digest = ?

-- name: count
SELECT count(*) FROM items

-- name: file_digest
SELECT digest FROM file_digests WHERE path = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ? AND inode = ?

-- name: remember_file_digest
INSERT OR REPLACE INTO file_digests (path, size, mtime_ns, ctime_ns, inode, digest) VALUES (?, ?, ?, ?, ?, ?)

-- name: newest_ready
-- The highest version of a key that is READY and has bytes, whoever made it.
SELECT version FROM items
WHERE key = ? AND status = 3 AND form IS NOT NULL AND version < 4611686018427387904
ORDER BY version DESC LIMIT 1

-- name: insert_claim_by_hand
INSERT INTO items
    (key, version, status, scope, token, owner, filename, created, attempts, ext, label, uri, params)
VALUES (?, ?, 1, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)

-- name: trash_unowned
-- What somebody writes by hand and nobody waits for; only when it is named.
UPDATE items SET former = 2, status = -1, former_cause = 'abandoned', cause = 'removed', trashed = ?
WHERE id = ? AND status = 1 AND owner IS NULL

-- name: restore
UPDATE items SET status = former, former = NULL, cause = former_cause, former_cause = NULL, trashed = NULL
WHERE id = ? AND status = -1

-- name: delete
UPDATE items SET status = -2, data = NULL WHERE id = ? AND status = -1

-- name: forget
-- The record goes too; attributes, details and uses go with it. A trigger keeps its version from being used again.
DELETE FROM items WHERE id = ? AND status = -2

-- name: count_uses
-- Not of an item that is gone.
INSERT INTO uses (item, count, last) SELECT id, ?, ? FROM items WHERE id = ?
ON CONFLICT (item) DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)

-- name: uses
SELECT count, last FROM uses WHERE item = ?

-- name: pin
UPDATE items SET pinned = ? WHERE id = ?

-- name: set_label
UPDATE items SET label = ? WHERE id = ?

-- name: set_ext
UPDATE items SET ext = ? WHERE id = ?

-- name: replace_attribute
INSERT OR REPLACE INTO attributes (item, namespace, name, kind, value) VALUES (?, ?, ?, ?, ?)

-- name: drop_attribute
DELETE FROM attributes WHERE item = ? AND namespace = ? AND name = ?

-- name: drop_namespace
DELETE FROM attributes WHERE item = ? AND namespace = ?

-- name: record
SELECT i.id, i.key, u.uri, i.version, i.status, i.scope, i.token, i.owner, i.form, i.serializer, i.size, i.digest,
    i.filename, i.created, i.ended, i.duration, i.attempts, i.cause, i.code, i.ext, i.label, i.function,
    i.params, d.error, i.compression, i.pinned, i.signature
FROM items AS i JOIN uris AS u ON u.id = i.uri LEFT JOIN details AS d ON d.item = i.id

-- name: keys_from
SELECT DISTINCT key FROM items WHERE key BETWEEN ? AND ? LIMIT 2

-- name: manifest
-- What a manifest says of an item, in the order of its fields.
SELECT i.key, u.uri, i.version, i.status, i.scope, i.code, i.token, i.form, i.serializer, i.compression, i.size,
    i.digest, i.mac, i.filename, i.created, i.ended, i.duration, i.attempts, i.pinned, i.function, i.params, i.ext,
    i.label
FROM items AS i JOIN uris AS u ON u.id = i.uri WHERE i.id = ?

-- name: note_wait
INSERT OR IGNORE INTO waits (item, wait, key, scope) VALUES (?, ?, ?, ?)

-- name: forget_waits
-- Waits of claims that have ended, whose process did not come to withdraw them.
DELETE FROM waits WHERE NOT EXISTS (SELECT 1 FROM items WHERE id = waits.item AND status = 1)

-- name: withdraw_wait
DELETE FROM waits WHERE wait = ?

-- name: awaited
-- The running claims that a claim waits for.
SELECT i.id, i.owner, coalesce(i.function, u.uri)
FROM waits AS w
JOIN items AS i ON i.key = w.key AND i.scope = w.scope AND i.status = 1 AND i.owner IS NOT NULL
JOIN uris AS u ON u.id = i.uri
WHERE w.item = ?

-- name: same_item
-- A finished item of a key with the same content, whatever its version: what another cache offers is there already.
SELECT id FROM items
WHERE key = ? AND status = ? AND scope = ? AND code IS ? AND form IS ? AND serializer IS ? AND compression IS ?
    AND size IS ? AND digest IS ? AND filename IS ? AND cause IS ? AND (status = 3 OR created = ?)
ORDER BY version LIMIT 1

-- name: insert_adopted
INSERT INTO items (key, version, status, scope, token, owner, created, attempts, ext, label, uri, function, params)
VALUES (?, ?, 1, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)

-- name: commit_adopted
-- The item is what it was in the other cache, and nobody's: only what its own copy differs in is ours.
UPDATE items SET status = ?, scope = ?, code = ?, form = ?, serializer = ?, compression = ?, size = ?, digest = ?,
    filename = ?, cause = ?, created = ?, signature = ?, mac = ?, data = ?, ended = ?, duration = ?, attempts = ?,
    owner = NULL
WHERE id = ? AND token = ? AND status = 1

-- name: forget_unadopted
DELETE FROM items WHERE key = ? AND token = ? AND scope = ? AND status IN (1, 2)

-- name: forget_abandoned_adoptions
-- Of a process that was killed while it copied them.
DELETE FROM items WHERE key = ? AND status = 2 AND cause = 'abandoned' AND substr(scope, 1, 8) = x'61646f7074696e67'

-- Statements of clean-ups, which go through all items by nature. Those named after tests are conditions, put behind
-- `candidates`.

-- name: candidates
SELECT i.id, i.key, i.version, i.token, i.size, i.function, u.uri
FROM items AS i JOIN uris AS u ON u.id = i.uri LEFT JOIN uses AS a ON a.item = i.id
LEFT JOIN details AS d ON d.item = i.id
WHERE i.status IN (2, 3) AND i.pinned = 0

-- name: every
1

-- name: aged
coalesce(a.last, i.ended, i.created) < ?

-- name: failed_often
-- An old failure, or one of a key that has newer ones in number.
i.status = 2 AND (i.created < ? OR
    (SELECT count(*) FROM items AS n WHERE n.key = i.key AND n.version > i.version AND n.status = 2) >= ?)

-- name: replaced
-- Not used for long, and made by code that newer results of the same call were not made by.
i.status = 3 AND coalesce(a.last, i.ended, i.created) < ? AND EXISTS (SELECT 1 FROM items AS n
    WHERE n.key = i.key AND n.version > i.version AND n.status = 3 AND n.scope <> i.scope)

-- name: surplus
-- More versions than are to be kept; a failure is none of them.
i.status = 3 AND
    (SELECT count(*) FROM items AS n WHERE n.key = i.key AND n.version > i.version AND n.status = 3) >= ?

-- name: unused
-- For autoclean: all but the newest READY version of a key, and failures that a READY version has made up for.
EXISTS (SELECT 1 FROM items AS n WHERE n.key = i.key AND n.status = 3 AND n.id <> i.id
    AND (n.version > i.version OR i.status = 2))

-- name: let_go
UPDATE items SET former = status, status = -1, former_cause = cause, cause = ?, trashed = ?
WHERE id = ? AND status IN (2, 3) AND pinned = 0

-- name: in_trash
SELECT i.id, i.key, i.version, i.token, i.size, i.function, u.uri
FROM items AS i JOIN uris AS u ON u.id = i.uri
WHERE i.status = -1 AND coalesce(i.trashed, i.created) < ? AND i.pinned = 0 ORDER BY i.trashed LIMIT ?

-- name: forget_trashed
DELETE FROM items WHERE id = ? AND status IN (-1, -2)

-- name: deleted
SELECT i.id, i.key, i.version, i.token, 0, i.function, u.uri
FROM items AS i JOIN uris AS u ON u.id = i.uri WHERE i.status = -2

-- name: sizes
SELECT total(CASE WHEN status >= 0 THEN size END), total(CASE WHEN status = -1 THEN size END) FROM items

-- name: known
SELECT token FROM items WHERE key = ? AND version = ?

-- name: mark
SELECT value FROM marks WHERE name = ?

-- name: set_mark
INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: stats
SELECT coalesce(i.function, u.uri), count(*), count(*) FILTER (WHERE i.attempts > 0),
    count(*) FILTER (WHERE i.status = 2), coalesce(sum(i.size), 0), coalesce(sum(a.count), 0),
    coalesce(sum(i.duration), 0), coalesce(sum(a.count * i.duration), 0)
FROM items AS i JOIN uris AS u ON u.id = i.uri LEFT JOIN uses AS a ON a.item = i.id
WHERE i.status >= -1 GROUP BY 1 ORDER BY 8 DESC, 1

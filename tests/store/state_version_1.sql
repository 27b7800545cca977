PRAGMA application_id = 1145853506;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE baseline (
            check_name TEXT NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (check_name, target, subject)) WITHOUT ROWID;
INSERT INTO "baseline" VALUES('dmarc','shop.example','record','{"check":"dmarc","target":"shop.example","subject":"record","accepted":"v=DMARC1; p=reject","accepted_at":1780000000.0,"seen":"v=DMARC1; p=none","changed_at":1789000000.0,"classification":"weakened","reason":"p=reject \u2192 p=none"}');
CREATE TABLE bucket (
            dimension INTEGER NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL,
            PRIMARY KEY (dimension, minute)) WITHOUT ROWID;
INSERT INTO "bucket" VALUES(1,29833333,1);
CREATE TABLE dimension (
            id INTEGER PRIMARY KEY, sender TEXT NOT NULL, stream TEXT NOT NULL, domain TEXT NOT NULL,
            provider TEXT NOT NULL, event TEXT NOT NULL,
            UNIQUE (sender, domain, stream, provider, event));
INSERT INTO "dimension" VALUES(1,'shop-mta','orders','shop.example','gmail','accepted');
CREATE TABLE discovery (domain TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "discovery" VALUES('shop.example','{"mx": []}');
CREATE TABLE kept (
            check_name TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (check_name, target)) WITHOUT ROWID;
INSERT INTO "kept" VALUES('dmarc','shop.example','{"check":"dmarc","target":"shop.example","domain":"shop.example","status":"critical","status_since":1789000000.0,"looked_at":1789900000.0,"known_at":1789900000.0,"subjects":[{"key":"record","subject":"record","known_at":1789900000.0,"findings":[{"short":"policy_weakened","summary":"told","code":"dmarc.policy_weakened","severity":"critical","since":1789000000.0}],"record":"v=DMARC1; p=none"}]}');
INSERT INTO "kept" VALUES('blocklist','192.0.2.1','{"check":"blocklist","target":"192.0.2.1","domain":"shop.example","status":"ok","status_since":1789000000.0,"looked_at":1789900000.0,"known_at":1789900000.0,"clean":2,"clean_weight":2.0}');
CREATE TABLE seen_event (key BLOB NOT NULL PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "seen_event" VALUES(X'079E31D468A6AFE70103358D103E28E3',1790000000);
CREATE TABLE total (dimension INTEGER PRIMARY KEY, n INTEGER NOT NULL);
INSERT INTO "total" VALUES(1,1);
CREATE INDEX seen_event_at ON seen_event (at);
COMMIT;

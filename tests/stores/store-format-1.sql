-- A store of format 1, as `.dump` writes it. Never change it: it must keep loading.
BEGIN TRANSACTION;
CREATE TABLE aliases (
        kind TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, changed TEXT NOT NULL,
        PRIMARY KEY (kind, name, alias));
INSERT INTO "aliases" VALUES('model','fraud','champion',1,'2024-01-01T00:00:00.000Z');
INSERT INTO "aliases" VALUES('bundle','card-fraud','live',1,'2024-01-01T00:00:00.000Z');
CREATE TABLE config (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, changed TEXT NOT NULL);
INSERT INTO "config" VALUES('alerts','{"mail":["ana@example.org"]}','2024-01-01T00:00:00.000Z');
CREATE TABLE jobs (
        job TEXT NOT NULL PRIMARY KEY, bundle TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
        folder TEXT NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, started TEXT NOT NULL,
        heartbeat TEXT NOT NULL, ended TEXT, counters TEXT NOT NULL, watermark INTEGER);
INSERT INTO "jobs" VALUES('j1','card-fraud@1','one.example',7,'jobs/j1',1,'running','','2024-01-01T00:00:00.000Z','2024-01-01T00:00:00.000Z',NULL,'{"payments":{"in":10}}',1704067199999);
INSERT INTO "jobs" VALUES('j2','card-fraud@1','one.example',7,'jobs/j2',1,'finished','end of input','2024-01-01T00:00:00.000Z','2024-01-01T00:00:00.000Z','2024-01-01T00:00:00.000Z','{}',NULL);
CREATE TABLE versions (
        kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, created TEXT NOT NULL,
        meta TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, name, version));
INSERT INTO "versions" VALUES('model','fraud',1,'e4b90b5280cb1cb8a3784cb35a7811e6bf221cf3c0a16aa81e8a1be237618efc','2024-01-01T00:00:00.000Z','{"auc":0.97}',X'3C6F6E652F3E');
INSERT INTO "versions" VALUES('model','fraud',2,'0a2874a21b92644a9707f6cca0f8b3e1ad2fc3b269c7a482572a39fc76319264','2024-01-01T00:00:00.000Z','{}',X'3C74776F2F3E');
INSERT INTO "versions" VALUES('rules','fraud',1,'f7525f5348a9b31ade4d23ff4c9216ccbce6303b266beba83e3146254acdef8d','2024-01-01T00:00:00.000Z','{}',X'5B22616D6F756E74203E20353030222C7B2273716C223A22737461747573203D20276465636C696E656427227D5D');
INSERT INTO "versions" VALUES('bundle','card-fraud',1,'00de81134ac40b958df50c068671b3fe0f8112ff6bbabacdff046851f89ca3c4','2024-01-01T00:00:00.000Z','{}',X'62756E646C652000FF');
COMMIT;
PRAGMA application_id = 1398036824;
PRAGMA user_version = 1;

-- What the audit page is narrowed by: who, and what.
create index audit_actor on audit (actor, seq);
create index audit_operation on audit (operation, seq);

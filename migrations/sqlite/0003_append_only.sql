-- What is written once stays as it is. (A superuser can drop a trigger; the audit chain is there to show it.)
create trigger audit_no_update before update on audit begin select raise(abort, 'audit is append-only'); end;
create trigger audit_no_delete before delete on audit begin select raise(abort, 'audit is append-only'); end;
create trigger decision_no_update before update on decision begin select raise(abort, 'decision is append-only'); end;
create trigger decision_no_delete before delete on decision begin select raise(abort, 'decision is append-only'); end;
create trigger charge_no_update before update on charge begin select raise(abort, 'charge is append-only'); end;
create trigger charge_no_delete before delete on charge begin select raise(abort, 'charge is append-only'); end;
create trigger statement_no_update before update on statement begin select raise(abort, 'statement is append-only'); end;
create trigger statement_no_delete before delete on statement begin select raise(abort, 'statement is append-only'); end;
create trigger statement_line_no_update before update on statement_line begin select raise(abort, 'statement_line is append-only'); end;
create trigger statement_line_no_delete before delete on statement_line begin select raise(abort, 'statement_line is append-only'); end;
create trigger meter_event_no_delete before delete on meter_event begin select raise(abort, 'meter_event is append-only'); end;
create trigger meter_event_charge_once before update on meter_event
when old.charge_id is not null or new.bytes <> old.bytes or new.key <> old.key or new.at <> old.at or new.busy_micros <> old.busy_micros
begin select raise(abort, 'meter_event is append-only'); end;

insert into audit_head (id, seq, hash) values (1, 0, x'0000000000000000000000000000000000000000000000000000000000000000');

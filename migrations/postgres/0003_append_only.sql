-- What is written once stays as it is. (A superuser can drop a trigger; the audit chain is there to show it.)
create function append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end
$$;

create function meter_event_charge_once() returns trigger language plpgsql as $$
begin
    if old.charge_id is not null or new.bytes <> old.bytes or new.key <> old.key or new.at <> old.at or new.busy_micros <> old.busy_micros then
        raise exception 'meter_event is append-only';
    end if;
    return new;
end
$$;

create trigger audit_append_only before update or delete or truncate on audit for each statement execute function append_only();
create trigger decision_append_only before update or delete or truncate on decision for each statement execute function append_only();
create trigger charge_append_only before update or delete or truncate on charge for each statement execute function append_only();
create trigger statement_append_only before update or delete or truncate on statement for each statement execute function append_only();
create trigger statement_line_append_only before update or delete or truncate on statement_line for each statement execute function append_only();
create trigger meter_event_append_only before delete or truncate on meter_event for each statement execute function append_only();
create trigger meter_event_charge_once before update on meter_event for each row execute function meter_event_charge_once();

insert into audit_head (id, seq, hash) values (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');

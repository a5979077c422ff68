-- Bytes and compute time of an event are priced each by itself, when there is a price: the time has a charge of its own.
-- What was charged before was settled as a whole.
drop trigger meter_event_charge_once on meter_event;
alter table meter_event add column compute_charge_id uuid;
update meter_event set compute_charge_id = charge_id where charge_id is not null;
create or replace function meter_event_charge_once() returns trigger language plpgsql as $$
begin
    if (old.charge_id is not null and new.charge_id is distinct from old.charge_id)
        or (old.compute_charge_id is not null and new.compute_charge_id is distinct from old.compute_charge_id)
        or new.bytes <> old.bytes or new.key <> old.key or new.at <> old.at or new.busy_micros <> old.busy_micros then
        raise exception 'meter_event is append-only';
    end if;
    return new;
end
$$;
create trigger meter_event_charge_once before update on meter_event for each row execute function meter_event_charge_once();

-- What waits for the daily report, and nothing else: short however much has been counted.
drop index meter_event_day;
create index meter_event_bytes_wait on meter_event (day, product_id, at)
    where charge_id is null and bytes > 0 and method in ('measured', 'logged');
create index meter_event_time_waits on meter_event (day, product_id, at)
    where compute_charge_id is null and busy_micros > 0 and method in ('measured', 'logged');

-- Bytes and compute time of an event are priced each by itself, when there is a price: the time has a charge of its own.
-- What was charged before was settled as a whole.
drop trigger meter_event_charge_once;
alter table meter_event add column compute_charge_id blob;
update meter_event set compute_charge_id = charge_id where charge_id is not null;
create trigger meter_event_charge_once before update on meter_event
when (old.charge_id is not null and new.charge_id is not old.charge_id)
    or (old.compute_charge_id is not null and new.compute_charge_id is not old.compute_charge_id)
    or new.bytes <> old.bytes or new.key <> old.key or new.at <> old.at or new.busy_micros <> old.busy_micros
begin select raise(abort, 'meter_event is append-only'); end;

-- What waits for the daily report, and nothing else: short however much has been counted.
drop index meter_event_day;
create index meter_event_bytes_wait on meter_event (day, product_id, at)
    where charge_id is null and bytes > 0 and method in ('measured', 'logged');
create index meter_event_time_waits on meter_event (day, product_id, at)
    where compute_charge_id is null and busy_micros > 0 and method in ('measured', 'logged');

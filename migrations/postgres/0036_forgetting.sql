-- Within how many hours of the source's commit what it deleted is to be gone from a replica, whatever the retention and the schedule say;
-- null: there is no such deadline.
alter table sync_job add column forget_hours bigint check (forget_hours >= 8);

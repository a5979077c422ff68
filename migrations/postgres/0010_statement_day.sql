-- The days that make a team have a statement of their month: something was charged, or counted and waits; or a charge came
-- after the statement that it would have been in, and stands in that of the month in which it came.
create view statement_day as
select team_id, day from charge
union all
select charge.team_id, charge.created_at / 86400000000 as day
from charge join statement on statement.team_id = charge.team_id and statement.currency = charge.currency
    and statement.issued_at < charge.created_at and charge.day >= statement.first_day and charge.day < statement.end_day
union all
select team_id, day from charge_draft
union all
select team_id, day from billed_event where charge_id is null and bytes > 0 and method in ('measured', 'logged')
union all
select team_id, day from billed_event where compute_charge_id is null and busy_micros > 0 and method in ('measured', 'logged');

-- Who paid for what crossed at that time: a product's later word on it changes nothing. Of events from before this was kept it is
-- the word of now.
alter table meter_event add column payer text check (payer in ('producer', 'consumer'));

-- Who pays for an event. The producer's team, unless the product said that consumers do: then the team of the recipient that
-- read; and for bytes of a replica, which serve all consumers in its location, the team of the oldest grant of a replica there
-- that was open at the event's instant. If none was open any more, the one that had ended last; if there never was one, the
-- producer's team.
create view billed_event as
select meter_event.id, meter_event.day, meter_event.at, meter_event.product_id, recipient.team_id as consumer_id,
       meter_event.from_location, meter_event.to_location, meter_event.method, meter_event.bytes, meter_event.busy_micros,
       meter_event.charge_id, meter_event.compute_charge_id,
       case when coalesce(meter_event.payer, product.payer) = 'producer' then product.team_id
            when recipient.team_id is not null then recipient.team_id
            else coalesce(
                (select taker.team_id from access_grant join recipient as taker on taker.id = access_grant.recipient_id
                 where access_grant.product_id = meter_event.product_id and access_grant.mode = 'replica'
                     and taker.cloud || ':' || taker.region = meter_event.to_location
                     and access_grant.created_at <= meter_event.at and access_grant.until_at > meter_event.at
                     and (access_grant.stopped_at is null or access_grant.stopped_at > meter_event.at)
                 order by access_grant.created_at, access_grant.id limit 1),
                (select taker.team_id from access_grant join recipient as taker on taker.id = access_grant.recipient_id
                 where access_grant.product_id = meter_event.product_id and access_grant.mode = 'replica'
                     and taker.cloud || ':' || taker.region = meter_event.to_location
                     and access_grant.created_at <= meter_event.at
                 order by case when access_grant.stopped_at < access_grant.until_at then access_grant.stopped_at
                               else access_grant.until_at end desc, access_grant.id limit 1),
                product.team_id)
       end as team_id
from meter_event join product on product.id = meter_event.product_id
    left join recipient on recipient.id = meter_event.recipient_id;

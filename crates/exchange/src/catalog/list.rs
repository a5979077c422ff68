//! Finding products. One indexed range of `search_term` per word, intersected; the filters' counts, the total and the page
//! come from the same visible products, so that no number tells of what one may not see.
//!
//! Order by relevance: the exact name, the exact title, what begins the name, what begins the title, then the sum of the
//! words' weights (a whole word counts twice what a beginning counts, a whole name of several words sixteen times that), then
//! the name.

use model::dto::{FacetCount, Facets, MyAccess, ProductCard, ProductPage, ProductQuery};
use model::{Classification, Cloud, PersonId, ProductName, ProductState, TeamId, Timestamp};

use super::read::access_of;
use super::terms::{WORDS_MAX, above, fold, words_of};
use crate::db::{DbError, Query, Row};
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

const QUERY_MAX: usize = 200;
const SUMMARY: usize = 240;
/// How many whole names count extra.
const BONUS: usize = 3;

/// A search, checked.
struct Search {
    /// The whole text, folded.
    text: String,
    words: Vec<String>,
    /// Names asked for that were split into words: who has one whole comes before who has its parts here and there.
    whole: Vec<String>,
    /// Tried when `words` find nothing.
    joined: Option<Vec<String>>,
    domain: Option<String>,
    team: Option<String>,
    cloud: Option<Cloud>,
    region: Option<String>,
    classification: Option<Classification>,
    state: Option<ProductState>,
    access: Option<MyAccess>,
    by_name: bool,
    /// The last row seen: rank and name.
    after: (i64, String),
    page: PageRequest,
    all: bool,
    person: Option<PersonId>,
    team_of_token: Option<TeamId>,
    now: Timestamp,
}

impl Exchange {
    /// Products that the caller may see, with how many each filter value would leave.
    pub async fn products(
        &self,
        principal: &Principal,
        query: ProductQuery,
    ) -> Result<ProductPage, Error> {
        can(principal, Operation::ProductList, &Scope::NONE)?;
        let mut search = self.check_query(principal, query)?;
        if search.words.is_empty() && !search.text.is_empty() {
            // Nothing but punctuation: no word can hold it.
            return Ok(ProductPage {
                items: Vec::new(),
                next: None,
                total: 0,
                facets: Facets::default(),
            });
        }
        let (mut total, mut facets) = self.count(&search).await?;
        if total == 0
            && let Some(joined) = search.joined.take()
        {
            search.words = joined;
            search.whole.clear();
            (total, facets) = self.count(&search).await?;
        }
        let mut rows = if total == 0 {
            Vec::new()
        } else {
            self.page_rows(&search).await?
        };
        let next = if rows.len() > search.page.limit() {
            rows.truncate(search.page.limit());
            match rows.last() {
                Some(row) => {
                    let rank: i64 = row.get("rank")?;
                    let name: String = row.get("name")?;
                    Some(format!("{rank}.{name}"))
                }
                None => None,
            }
        } else {
            None
        };
        let items = rows
            .iter()
            .map(|row| self.card(row))
            .collect::<Result<_, _>>()?;
        Ok(ProductPage {
            items,
            next,
            total,
            facets,
        })
    }

    fn check_query(&self, principal: &Principal, query: ProductQuery) -> Result<Search, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let mut check = Check::new();
        let text = check.text("q", query.q.as_deref().unwrap_or(""), 0, QUERY_MAX, false);
        let words = words_of(&text);
        if words.split.len() > WORDS_MAX {
            check.fail("q", format!("at most {WORDS_MAX} words"));
        }
        let cloud = given(query.cloud).and_then(|word| check.parse("cloud", &word));
        let classification =
            given(query.classification).and_then(|word| check.parse("classification", &word));
        let state = given(query.state).and_then(|word| check.parse("state", &word));
        let access = given(query.access).and_then(|word| {
            let access = MyAccess::ALL
                .into_iter()
                .find(|access| access.as_str() == word);
            if access.is_none() {
                check.fail("access", "use none, pending or active");
            }
            access
        });
        let by_name = match given(query.sort).as_deref() {
            Some("name") => true,
            Some("relevance") | None => words.split.is_empty(),
            Some(_) => {
                check.fail("sort", "use relevance or name");
                true
            }
        };
        let after = match given(query.after) {
            None => (i64::MAX, String::new()),
            Some(token) => match parse_after(&token) {
                Some(after) => after,
                None => {
                    check.fail(
                        "after",
                        "not a page's `next`; leave it out for the first page",
                    );
                    (i64::MAX, String::new())
                }
            },
        };
        let mut short = |field: &str, text: Option<String>| {
            given(text).map(|text| check.text(field, &text, 1, 64, false))
        };
        let (domain, team) = (short("domain", query.domain), short("team", query.team));
        let region = short("region", query.region);
        check.done()?;
        let (person, team_of_token) = principal.scope();
        Ok(Search {
            text: fold(&text),
            whole: words.whole(),
            words: words.split,
            joined: words.joined,
            domain,
            team,
            cloud,
            region,
            classification,
            state,
            access,
            by_name,
            after,
            page: PageRequest {
                after: None,
                limit: query.limit,
            },
            all: principal.sees_all(),
            person,
            team_of_token,
            now: self.now(),
        })
    }

    /// How many there are, and how many each filter value would leave.
    async fn count(&self, search: &Search) -> Result<(u64, Facets), Error> {
        let query = sql!(
            "with word (lo, hi) as (values (cast($1 as text), cast($2 as text)), ($3, $4), ($5, $6), ($7, $8), ($9, $10),
                 ($11, $12), ($13, $14), ($15, $16), ($17, $18), ($19, $20), ($21, $22), ($23, $24)),
             hit as (
                 select product_id from (
                     select distinct word.lo, search_term.product_id from word cross join search_term
                     where search_term.term >= word.lo and search_term.term < word.hi) as found
                 group by product_id having count(*) = $25),
             candidate as (
                 select product_id, max(level) as level from (
                     select product_id, 1 as found, 0 as level from hit
                     union all
                     select id, 1, 0 from product where $25 = 0
                     union all
                     select product_id, 0, case when actual = 'active' then 2 else 1 end
                     from access_grant join recipient on recipient.id = recipient_id
                     where desired = 'active' and until_at > $29
                         and (team_id = $28 or team_id in (select team_id from team_member where person_id = $27))
                     union all
                     select product_id, 0, 1 from request join recipient on recipient.id = recipient_id
                     where request.state = 'submitted'
                         and (team_id = $28 or team_id in (select team_id from team_member where person_id = $27))) as parts
                 group by product_id having max(found) = 1),
             seen as (
                 select domain_id, team_id, storage_id, classification, state, level, count(*) as number
                 from candidate join product on product.id = candidate.product_id
                 where (product.state <> 'draft' or $26 or product.team_id = $28
                         or product.team_id in (select team_id from team_member where person_id = $27))
                 group by domain_id, team_id, storage_id, classification, state, level),
             judged as (
                 select domain.name as domain, domain.title as domain_title, team.name as team, team.title as team_title,
                     storage.cloud, storage.region, classification, state, number,
                     case level when 2 then 'active' when 1 then 'pending' else 'none' end as access,
                     (domain.name = $30 or $30 is null) as in_domain, (team.name = $31 or $31 is null) as in_team,
                     (storage.cloud = $32 or $32 is null) as in_cloud, (storage.region = $33 or $33 is null) as in_region,
                     (classification = $34 or $34 is null) as in_class, (state = $35 or $35 is null) as in_state,
                     (case level when 2 then 'active' when 1 then 'pending' else 'none' end = $36 or $36 is null) as in_access
                 from seen join domain on domain.id = seen.domain_id join team on team.id = seen.team_id
                     join storage on storage.id = seen.storage_id)
             select 'domain' as facet, domain as value, domain_title as title, cast(sum(number) as bigint) as count from judged
                 where in_team and in_cloud and in_region and in_class and in_state and in_access group by domain, domain_title
             union all select 'team', team, team_title, cast(sum(number) as bigint) from judged
                 where in_domain and in_cloud and in_region and in_class and in_state and in_access group by team, team_title
             union all select 'cloud', cloud, cloud, cast(sum(number) as bigint) from judged
                 where in_domain and in_team and in_region and in_class and in_state and in_access group by cloud
             union all select 'region', region, region, cast(sum(number) as bigint) from judged
                 where in_domain and in_team and in_cloud and in_class and in_state and in_access group by region
             union all select 'classification', classification, classification, cast(sum(number) as bigint) from judged
                 where in_domain and in_team and in_cloud and in_region and in_state and in_access group by classification
             union all select 'state', state, state, cast(sum(number) as bigint) from judged
                 where in_domain and in_team and in_cloud and in_region and in_class and in_access group by state
             union all select 'access', access, access, cast(sum(number) as bigint) from judged
                 where in_domain and in_team and in_cloud and in_region and in_class and in_state group by access
             union all select 'total', '', '', cast(coalesce(sum(number), 0) as bigint) from judged
                 where in_domain and in_team and in_cloud and in_region and in_class and in_state and in_access"
        );
        let rows = bind(query, search).rows(self.db()).await?;
        let mut total = 0;
        let mut facets = Facets::default();
        for row in rows {
            let facet: String = row.get("facet")?;
            let count = FacetCount {
                value: row.get("value")?,
                title: row.get("title")?,
                count: row.get("count")?,
            };
            match facet.as_str() {
                "domain" => facets.domain.push(count),
                "team" => facets.team.push(count),
                "cloud" => facets.cloud.push(count),
                "region" => facets.region.push(count),
                "classification" => facets.classification.push(count),
                "state" => facets.state.push(count),
                "access" => facets.access.push(count),
                _ => total = count.count,
            }
        }
        for list in [
            &mut facets.domain,
            &mut facets.team,
            &mut facets.cloud,
            &mut facets.region,
            &mut facets.classification,
            &mut facets.state,
            &mut facets.access,
        ] {
            list.sort_by(|one, other| one.value.cmp(&other.value));
        }
        Ok((total, facets))
    }

    /// One row more than the page holds.
    async fn page_rows(&self, search: &Search) -> Result<Vec<Row>, Error> {
        let query = sql!(
            "with word (lo, hi) as (values (cast($1 as text), cast($2 as text)), ($3, $4), ($5, $6), ($7, $8), ($9, $10),
                 ($11, $12), ($13, $14), ($15, $16), ($17, $18), ($19, $20), ($21, $22), ($23, $24)),
             bonus (lo, hi) as (values (cast($43 as text), cast($44 as text)), ($45, $46), ($47, $48)),
             hit as (
                 select product_id, cast(sum(best) as bigint) as score from (
                     select word.lo, search_term.product_id, 1 as needed,
                         max(case when search_term.term = word.lo then weight * 2 else weight end) as best
                     from word cross join search_term where search_term.term >= word.lo and search_term.term < word.hi
                     group by word.lo, search_term.product_id
                     union all
                     select bonus.lo, search_term.product_id, 0,
                         max(case when search_term.term = bonus.lo then weight * 32 else weight * 16 end)
                     from bonus cross join search_term where search_term.term >= bonus.lo and search_term.term < bonus.hi
                     group by bonus.lo, search_term.product_id) as found
                 group by product_id having sum(needed) = $25),
             candidate as (
                 select product_id, max(score) as score, max(level) as level from (
                     select product_id, score, 0 as level from hit
                     union all
                     select id, 0, 0 from product where $25 = 0
                     union all
                     select product_id, -1, case when actual = 'active' then 2 else 1 end
                     from access_grant join recipient on recipient.id = recipient_id
                     where desired = 'active' and until_at > $29
                         and (team_id = $28 or team_id in (select team_id from team_member where person_id = $27))
                     union all
                     select product_id, -1, 1 from request join recipient on recipient.id = recipient_id
                     where request.state = 'submitted'
                         and (team_id = $28 or team_id in (select team_id from team_member where person_id = $27))) as parts
                 group by product_id having max(score) >= 0),
             ranked as (
                 select product.id, product.name, level,
                     case when $37 then 0 else score + case
                         when product.name = $38 then 4000000 when product.title_key = $38 then 3000000
                         when product.name >= $38 and product.name < $39 then 2000000
                         when product.title_key >= $38 and product.title_key < $39 then 1000000 else 0 end end as rank
                 from candidate join product on product.id = candidate.product_id
                 where (product.state <> 'draft' or $26 or product.team_id = $28
                         or product.team_id in (select team_id from team_member where person_id = $27))
                     and (product.domain_id in (select id from domain where name = $30) or $30 is null)
                     and (product.team_id in (select id from team where name = $31) or $31 is null)
                     and (product.storage_id in (select id from storage where cloud = $32) or $32 is null)
                     and (product.storage_id in (select id from storage where region = $33) or $33 is null)
                     and (product.classification = $34 or $34 is null) and (product.state = $35 or $35 is null)
                     and (case level when 2 then 'active' when 1 then 'pending' else 'none' end = $36 or $36 is null)),
             page as (
                 select id, cast(level as bigint) as level, cast(rank as bigint) as rank
                 from ranked where rank < $40 or (rank = $40 and name > $41) order by rank desc, name limit $42)
             select product.name, product.title, product.description, domain.name as domain, team.name as team,
                 team.title as team_title, storage.cloud, storage.region, storage.url, product.classification, product.state,
                 level, rank,
                 (select string_agg(tag, ',' order by tag) from product_tag where product_id = page.id) as tags,
                 (select count(*) from product_table where product_id = page.id and removed_at is null) as tables,
                 (select case when count(*) = count(row_count) then cast(sum(row_count) as bigint) end from product_table
                      where product_id = page.id and removed_at is null) as row_count,
                 (select cast(coalesce(sum(byte_count), 0) as bigint) from product_table
                      where product_id = page.id and removed_at is null) as bytes,
                 (select max(committed_at) from product_table where product_id = page.id and removed_at is null) as committed_at
             from page join product on product.id = page.id join domain on domain.id = product.domain_id
                 join team on team.id = product.team_id join storage on storage.id = product.storage_id
             order by rank desc, product.name"
        );
        let query = bind(query, search)
            .bind(search.by_name)
            .bind(&search.text)
            .bind(above(&search.text))
            .bind(search.after.0)
            .bind(&search.after.1)
            .bind(search.page.fetch());
        Ok(bind_words(query, &search.whole, BONUS)
            .rows(self.db())
            .await?)
    }

    fn card(&self, row: &Row) -> Result<ProductCard, DbError> {
        let url: String = row.get("url")?;
        let description: String = row.get("description")?;
        let tags: Option<String> = row.get("tags")?;
        Ok(ProductCard {
            name: row.get("name")?,
            title: row.get("title")?,
            summary: description.chars().take(SUMMARY).collect(),
            domain: row.get("domain")?,
            team: row.get("team")?,
            team_title: row.get("team_title")?,
            cloud: row.get("cloud")?,
            region: row.get("region")?,
            simulated: self.ports().probe.is_simulated(&url),
            classification: row.get("classification")?,
            state: row.get("state")?,
            access: access_of(row.get("level")?),
            // A tag holds no comma.
            tags: tags
                .map(|tags| tags.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            tables: row.get("tables")?,
            rows: row.get("row_count")?,
            bytes: row.get("bytes")?,
            committed_at: row.get("committed_at")?,
        })
    }
}

/// Binds `slots` pairs of bounds.
fn bind_words(mut query: Query, words: &[String], slots: usize) -> Query {
    for slot in 0..slots {
        // An empty slot asks for what lies between the empty text and itself: nothing.
        let (lo, hi) = match words.get(slot) {
            Some(word) => (word.clone(), above(word)),
            None => (String::new(), String::new()),
        };
        query = query.bind(lo).bind(hi);
    }
    query
}

/// $1 to $36, which both texts share.
fn bind(query: Query, search: &Search) -> Query {
    bind_words(query, &search.words, WORDS_MAX)
        .bind(search.words.len())
        .bind(search.all)
        .bind(search.person)
        .bind(search.team_of_token)
        .bind(search.now)
        .bind(search.domain.as_deref())
        .bind(search.team.as_deref())
        .bind(search.cloud)
        .bind(search.region.as_deref())
        .bind(search.classification)
        .bind(search.state)
        .bind(search.access.map(MyAccess::as_str))
}

fn parse_after(token: &str) -> Option<(i64, String)> {
    let (rank, name) = token.split_once('.')?;
    let name: ProductName = name.parse().ok()?;
    Some((rank.parse().ok()?, name.to_string()))
}

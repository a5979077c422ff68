//! The page of domains.

// The domains.
pub(crate) const DOMAINS: &str = "Domains";
pub(crate) const WHAT_DOMAINS_ARE: &str =
    "What the company’s data is about. Each team is in one, and its products are named after it.";
pub(crate) const NO_DOMAIN_YET: &str = "No domain yet";
pub(crate) const BEGIN_WITH_A_DOMAIN: &str =
    "Begin with one: then teams can be made in it, and after them storages and products.";
pub(crate) const DOMAIN: &str = "Domain";
pub(crate) const WHAT_IT_IS_ABOUT: &str = "What it is about";
pub(crate) const MAKE_A_DOMAIN: &str = "Make a domain";
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str =
    "Lower case, for example vehicle. Products’ names begin with it, so it stays.";
pub(crate) const TITLE: &str = "Title";
pub(crate) const TITLE_HINT: &str = "For people, for example Vehicle data.";
pub(crate) const MAKE_THE_DOMAIN: &str = "Make the domain";
pub(crate) const CHANGE_IT: &str = "Change it";
pub(crate) const CHANGE_THE_DOMAIN: &str = "Change the domain";

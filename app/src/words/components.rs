//! What the components say by themselves: navigation, dialogs, loading, steps, what was changed meanwhile.

use std::fmt::Display;

// The account's menu.
pub(crate) const SIGN_IN: &str = "Sign in";
pub(crate) const ACCOUNT_OF: &str = "Account of ";
pub(crate) const YOUR_ACCOUNT: &str = "Your account";
pub(crate) const SIGN_OUT: &str = "Sign out";

// A dialog.
pub(crate) const CLOSE: &str = "Close";

// What is shown while something loads, or where it cannot be.
pub(crate) const LOADING: &str = "Loading …";
pub(crate) const LOAD_THE_PAGE_AGAIN: &str = "Load the page again";
pub(crate) const SIGN_IN_TO_GO_ON: &str = "Sign in to go on";
pub(crate) const WHY_SIGN_IN: &str =
    "What is here is for people of this organisation. You come back to this page.";

// What was changed while somebody filled in a form.
pub(crate) const OTHER_FIELDS_CHANGED: &str =
    "Something else about it was changed; none of these fields.";
pub(crate) const CHANGED_MEANWHILE: &str = "Changed meanwhile:";
pub(crate) const SENDING_AGAIN_REPLACES: &str =
    "What you wrote stands in the form. Sent again, the form replaces what is there now.";
pub(crate) const EMPTY: &str = "empty";

pub(crate) fn was_and_is_now(label: &dyn Display, was: &dyn Display, is: &dyn Display) -> String {
    format!("{label} was {was} and is {is} now.")
}

pub(crate) fn you_wrote(typed: &dyn Display) -> String {
    format!(" You wrote {typed}.")
}

// The navigation.
pub(crate) const CATALOG: &str = "Catalog";
pub(crate) const MY_ACCESS: &str = "My access";
pub(crate) const APPROVALS: &str = "Approvals";
pub(crate) const REGISTER: &str = "Register";
pub(crate) const REPLICAS: &str = "Replicas";
pub(crate) const COSTS: &str = "Costs";
pub(crate) const ADMIN: &str = "Admin";
pub(crate) const MAIN_NAVIGATION: &str = "Main";
pub(crate) const HOME: &str = "Home";

// The pager.
pub(crate) const FIRST_PAGE: &str = "First page";
pub(crate) const NEXT: &str = "Next";

// Where a step stands, for screen readers.
pub(crate) const STEP_DONE: &str = "Done: ";
pub(crate) const STEP_NOW: &str = "Now: ";
pub(crate) const STEP_AHEAD: &str = "To come: ";
pub(crate) const STEP_STOPPED: &str = "Stopped: ";

// What a box is.
pub(crate) const TICKED: &str = "ticked";
pub(crate) const NOT_TICKED: &str = "not ticked";

//! What signing in says, also where the server refuses it: it puts these sentences into the flash.

pub(crate) const SIGN_IN: &str = "Sign in";
pub(crate) const OR_WITH_A_NAME: &str = "Or with a name and a password of this exchange:";
pub(crate) const NAME: &str = "Name";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const NO_ACCOUNT_YET: &str =
    "No account yet? An administrator of this exchange makes one for you.";
pub(crate) const SIGNED_IN_AS: &str = "You are signed in as ";
pub(crate) const GO_ON: &str = "Go on";

/// What a refused sign-in says, the same for an unknown name and a wrong password (control C-55). The server puts
/// it into the flash as the error of the whole form.
pub const REFUSED: &str = "The name or the password is not right.";

/// What became of a way to the provider of identities and back.
pub const UNREACHABLE: &str = "The company account cannot be asked at the moment. Try again in a minute, or sign in with a name and a password of this exchange.";
pub const STALE: &str = "This sign-in was not begun in this browser, was used already, or took more than ten minutes. Please begin again.";
pub const SENT_BACK: &str = "The company account did not let you through. Please begin again, or ask those who look after company accounts.";
pub const NOT_TRUSTED: &str = "What came back from the company account could not be trusted, so nobody was signed in. Please begin again; should it come back, tell an administrator, who finds the reason in the server's log.";
pub const CLOSED: &str =
    "Your account at this exchange is closed. Please ask an administrator of this exchange.";
/// Before what the provider calls the person.
pub const NOT_YET: &str = "You have no account at this exchange yet. Ask an administrator to make one, and to link it to this identifier of your company account:";

//! Lists of users (manual 3.4); the twin of `telamon.plan.users`.

use serde::{Deserialize, Serialize};

/// One `userlist` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserList {
    pub name: String,
    pub users: Vec<User>,
}

/// `password` is a hash of crypt(3) where `hashed`, else the text; None fits nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    pub password: Option<String>,
    pub hashed: bool,
    pub groups: Vec<String>,
}

impl std::fmt::Debug for User {
    /// Without the password, which must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

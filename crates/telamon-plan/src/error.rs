use thiserror::Error;

/// Why a document is not a plan. The front ends never write such a one, so each is a mistake of
/// ours and names its place.
#[derive(Debug, Error)]
pub enum PlanError {
    #[error("the document is not a plan: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("proxy id {0} is given twice")]
    ProxyTwice(u32),
    #[error("proxy '{proxy}': {what} id {id} is given twice")]
    IdTwice {
        proxy: String,
        what: &'static str,
        id: u32,
    },
    #[error("proxy '{proxy}': the default backend {id} does not exist or has no backend")]
    NoSuchBackend { proxy: String, id: u32 },
    #[error("proxy '{proxy}', server '{server}': {what} must not be 0")]
    ZeroCheck {
        proxy: String,
        server: String,
        what: &'static str,
    },
    #[error("proxy '{proxy}': random needs at least one draw")]
    NoDraws { proxy: String },
}

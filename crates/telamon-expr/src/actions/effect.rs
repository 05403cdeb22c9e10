//! What each action does to the head, to variables, and to what the engine is told.

use super::edit::{clean, replace_values, Edit};
use super::{Action, Verdict, Wanted, Wish};
use crate::env::Env;
use crate::reply::{early_hint, reason};
use crate::sample::Sample;

impl Action {
    /// The verdict of an action that ends its list.
    pub(super) fn verdict(&self, at: usize, env: &Env<'_>) -> Option<Verdict> {
        Some(match self {
            Action::Allow => Verdict::Allow,
            Action::Reject => Verdict::Reject,
            Action::SilentDrop => Verdict::SilentDrop,
            Action::Close => Verdict::Close,
            Action::Deny(_) => Verdict::Deny(at),
            Action::Tarpit(_) => Verdict::Tarpit(at),
            Action::Return(_) => Verdict::Return(at),
            Action::Redirect(redirect) if redirect.counts(env) => Verdict::Redirect(at),
            Action::Pause(expression) => {
                let time = expression.value(env)?.as_int()?;
                Verdict::Pause(u64::try_from(time).ok()?)
            }
            Action::Auth(_) => Verdict::Auth(at),
            Action::Normalize(normalizer) => {
                normalizer.apply(env.request?.pathq()).err()?;
                Verdict::BadUri
            }
            Action::Wait(time, bytes) => Verdict::Wait {
                time: *time,
                bytes: *bytes,
            },
            _ => return None,
        })
    }

    /// A failed rewrite is an error under `strict-mode`.
    pub(super) fn must_succeed(&self) -> bool {
        matches!(
            self,
            Action::Add(..) | Action::Set(..) | Action::SetUri(_) | Action::SetPath(..)
        )
    }

    pub(super) fn effect(
        &self,
        env: &Env<'_>,
        wanted: &mut Wanted,
        in_response: bool,
    ) -> Option<Edit> {
        let head = if in_response {
            env.response
        } else {
            env.request
        };
        Some(match self {
            Action::Add(name, format) => Edit::Add(name.clone(), clean(format.bytes(env))),
            Action::Set(name, format) => Edit::Set(name.clone(), clean(format.bytes(env))),
            Action::Delete(which) => {
                let names = head?.fields().map(|field| field.name);
                Edit::Delete(
                    names
                        .filter(|name| which.matches(name, env.vars))
                        .map(<[u8]>::to_vec)
                        .collect(),
                )
            }
            Action::ReplaceHeader(name, regex, format) => {
                let by = clean(format.bytes(env));
                let lines = head?.lines(name);
                let changed = lines
                    .map(|line| regex.groups(line, &by, env.vars))
                    .collect();
                Edit::Lines(name.clone(), changed)
            }
            Action::ReplaceValue(name, regex, format) => {
                let by = clean(format.bytes(env));
                let lines = head?.lines(name);
                Edit::Lines(
                    name.clone(),
                    lines
                        .map(|line| replace_values(line, regex, &by, env.vars))
                        .collect(),
                )
            }
            Action::ReplacePath(regex, format, query) => {
                let head = head?;
                let text = if *query { head.pathq() } else { head.path() };
                match regex.groups(text, &clean(format.bytes(env)), env.vars) {
                    Some(path) => Edit::Path(path, *query),
                    None => Edit::Nothing,
                }
            }
            Action::ReplaceUri(regex, format) => {
                match regex.groups(head?.uri(), &clean(format.bytes(env)), env.vars) {
                    Some(uri) => Edit::Uri(uri),
                    None => Edit::Nothing,
                }
            }
            Action::SetMethod(format) => Edit::Method(clean(format.bytes(env))),
            Action::SetPath(format, query) => Edit::Path(clean(format.bytes(env)), *query),
            Action::SetQuery(format) => Edit::Query(clean(format.bytes(env))),
            Action::Normalize(normalizer) => Edit::Normalized(*normalizer),
            Action::SetUri(format) => Edit::Uri(clean(format.bytes(env))),
            Action::SetStatus(status, text) => {
                let text = text.clone().unwrap_or_else(|| reason(*status).to_vec());
                Edit::Status(*status, text)
            }
            other => {
                other.other_effect(env, wanted);
                Edit::Nothing
            }
        })
    }

    /// What does not change the head.
    fn other_effect(&self, env: &Env<'_>, wanted: &mut Wanted) {
        match self {
            Action::SetVar(slot, expression, settings) => {
                if let Some(value) = expression.value(env) {
                    env.vars.set_if(*slot, value.into_owned(), settings);
                }
            }
            Action::SetVarFormat(slot, format, settings) => {
                let value = Sample::owned(format.plain(env));
                env.vars.set_if(*slot, value, settings);
            }
            Action::UnsetVar(slot) => env.vars.unset(*slot),
            Action::Capture(expression, slot) => {
                if let Some(value) = expression.value(env) {
                    let in_response = env.response.is_some();
                    env.facts
                        .keep_capture(in_response, *slot, &value.into_text());
                }
            }
            Action::LogLevel(level) => wanted.log_level = Some(*level),
            Action::Timeout(name, expression) => {
                if let Some(value) = expression.value(env).and_then(|value| value.as_int()) {
                    wanted.timeouts.push((name, value.max(0) as u64));
                    env.facts.foresee(wanted);
                }
            }
            Action::Number(wish, expression) => {
                let Some(value) = expression.value(env).and_then(|value| value.as_int()) else {
                    return;
                };
                match wish {
                    Wish::Class => wanted.priority_class = Some(value),
                    Wish::Offset => wanted.priority_offset = Some(value),
                    Wish::Retries => wanted.retries = u32::try_from(value).ok(),
                    Wish::Tos => wanted.tos = u32::try_from(value).ok(),
                    Wish::Mark => wanted.mark = u32::try_from(value).ok(),
                    Wish::ServerTos => wanted.server_tos = u32::try_from(value).ok(),
                    Wish::ServerMark => wanted.server_mark = u32::try_from(value).ok(),
                }
                env.facts.foresee(wanted);
            }
            Action::Address(source, expression) => {
                let ip = expression.value(env).and_then(|value| value.as_ip());
                let place = if *source {
                    &mut wanted.source
                } else {
                    &mut wanted.destination
                };
                *place = ip.or(*place);
                env.facts.change_end(*source, ip, None);
            }
            Action::Port(source, expression) => {
                let port = expression.value(env).and_then(|value| value.as_int());
                let port = port.and_then(|port| u16::try_from(port).ok());
                let place = if *source {
                    &mut wanted.source_port
                } else {
                    &mut wanted.destination_port
                };
                *place = port.or(*place);
                env.facts.change_end(*source, None, port);
            }
            Action::Hint(name, format) => {
                let value = clean(format.bytes(env));
                wanted.hints.extend(early_hint(name, &value));
            }
            Action::SetEntry(set, key, value) => {
                let value = value.as_ref().map(|value| value.bytes(env));
                set.set(&key.bytes(env), value.as_deref());
            }
            Action::RemoveEntry(set, key) => set.forget(&key.bytes(env)),
            Action::NoRetry => wanted.no_retry = true,
            _ => {}
        }
    }
}

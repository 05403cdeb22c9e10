//! Maps: a value's key in a file gives another value (manual, `map`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use telamon_plan::rules::Match;

use super::{boxed, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::matching::{number, Matcher, Regex};
use crate::patterns::{Lines, Set};
use crate::sample::{leading_number, Sample};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "map",
        make: |args, compiler| map(args, compiler, Match::Str, Output::Text),
    },
    Row {
        name: "map_beg",
        make: |args, compiler| map(args, compiler, Match::Beg, Output::Text),
    },
    Row {
        name: "map_beg_int",
        make: |args, compiler| map(args, compiler, Match::Beg, Output::Int),
    },
    Row {
        name: "map_beg_ip",
        make: |args, compiler| map(args, compiler, Match::Beg, Output::Ip),
    },
    Row {
        name: "map_dir",
        make: |args, compiler| map(args, compiler, Match::Dir, Output::Text),
    },
    Row {
        name: "map_dir_int",
        make: |args, compiler| map(args, compiler, Match::Dir, Output::Int),
    },
    Row {
        name: "map_dir_ip",
        make: |args, compiler| map(args, compiler, Match::Dir, Output::Ip),
    },
    Row {
        name: "map_dom",
        make: |args, compiler| map(args, compiler, Match::Dom, Output::Text),
    },
    Row {
        name: "map_dom_int",
        make: |args, compiler| map(args, compiler, Match::Dom, Output::Int),
    },
    Row {
        name: "map_dom_ip",
        make: |args, compiler| map(args, compiler, Match::Dom, Output::Ip),
    },
    Row {
        name: "map_end",
        make: |args, compiler| map(args, compiler, Match::End, Output::Text),
    },
    Row {
        name: "map_end_int",
        make: |args, compiler| map(args, compiler, Match::End, Output::Int),
    },
    Row {
        name: "map_end_ip",
        make: |args, compiler| map(args, compiler, Match::End, Output::Ip),
    },
    Row {
        name: "map_int",
        make: |args, compiler| map(args, compiler, Match::Int, Output::Text),
    },
    Row {
        name: "map_int_int",
        make: |args, compiler| map(args, compiler, Match::Int, Output::Int),
    },
    Row {
        name: "map_int_ip",
        make: |args, compiler| map(args, compiler, Match::Int, Output::Ip),
    },
    Row {
        name: "map_ip",
        make: |args, compiler| map(args, compiler, Match::Ip, Output::Text),
    },
    Row {
        name: "map_ip_int",
        make: |args, compiler| map(args, compiler, Match::Ip, Output::Int),
    },
    Row {
        name: "map_ip_ip",
        make: |args, compiler| map(args, compiler, Match::Ip, Output::Ip),
    },
    Row {
        name: "map_reg",
        make: |args, compiler| map(args, compiler, Match::Reg, Output::Text),
    },
    Row {
        name: "map_reg_int",
        make: |args, compiler| map(args, compiler, Match::Reg, Output::Int),
    },
    Row {
        name: "map_reg_ip",
        make: |args, compiler| map(args, compiler, Match::Reg, Output::Ip),
    },
    Row {
        name: "map_regm",
        make: |args, compiler| map(args, compiler, Match::Reg, Output::Groups),
    },
    Row {
        name: "map_str",
        make: |args, compiler| map(args, compiler, Match::Str, Output::Text),
    },
    Row {
        name: "map_str_int",
        make: |args, compiler| map(args, compiler, Match::Str, Output::Int),
    },
    Row {
        name: "map_str_ip",
        make: |args, compiler| map(args, compiler, Match::Str, Output::Ip),
    },
    Row {
        name: "map_sub",
        make: |args, compiler| map(args, compiler, Match::Sub, Output::Text),
    },
    Row {
        name: "map_sub_int",
        make: |args, compiler| map(args, compiler, Match::Sub, Output::Int),
    },
    Row {
        name: "map_sub_ip",
        make: |args, compiler| map(args, compiler, Match::Sub, Output::Ip),
    },
];

/// What a value becomes.
#[derive(Clone, Copy)]
enum Output {
    Text,
    Int,
    Ip,
    /// Text in which `\1` names what the key's groups matched.
    Groups,
}

/// A file's lines in the form in which they are looked up.
enum Table {
    Exact(HashMap<Vec<u8>, Vec<u8>>),
    /// In the order in which they are tried.
    Listed(Vec<(Key, Vec<u8>)>),
}

enum Key {
    Pattern(Matcher),
    Regex(Regex),
}

fn map(args: Args<'_>, compiler: &mut Compiler, method: Match, output: Output) -> Made {
    let set = compiler.set(args.number(0)?.ok_or("the file is missing")?)?;
    let default = args.text(1).map(|text| typed(text, output)).transpose()?;
    let (version, lines) = set.lines();
    let table = Table::new(method, &lines).map_err(|error| format!("{}: {error}", set.path))?;
    let compiled = Mutex::new((version, Arc::new(table)));
    boxed(move |_, sample| {
        let table = current(&set, &compiled, method);
        let found = table.find(&sample, output);
        let value = found.and_then(|text| typed(text, output).ok());
        value.or_else(|| default.clone())
    })
}

/// The table of the file as it is now.
fn current(set: &Set, compiled: &Mutex<(u64, Arc<Table>)>, method: Match) -> Arc<Table> {
    let (version, lines) = set.lines();
    let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
    if compiled.0 != version {
        if let Ok(table) = Table::new(method, &lines) {
            *compiled = (version, Arc::new(table));
        }
    }
    compiled.1.clone()
}

fn typed(text: Vec<u8>, output: Output) -> Result<Sample<'static>, String> {
    let bad = |text: &[u8], what: &str| format!("'{}' is no {what}", String::from_utf8_lossy(text));
    Ok(match output {
        Output::Text | Output::Groups => Sample::owned(text),
        Output::Int => Sample::Int(leading_number(&text).ok_or_else(|| bad(&text, "number"))?),
        Output::Ip => {
            let ip = std::str::from_utf8(&text)
                .ok()
                .and_then(|text| text.parse::<IpAddr>().ok());
            Sample::Ip(ip.ok_or_else(|| bad(&text, "address"))?)
        }
    })
}

impl Table {
    fn new(method: Match, lines: &Lines) -> Result<Table, String> {
        if method == Match::Str {
            let mut exact = HashMap::with_capacity(lines.len());
            for (key, value) in lines {
                // The first line of a key counts.
                exact
                    .entry(key.clone())
                    .or_insert_with(|| value.clone().unwrap_or_default());
            }
            return Ok(Table::Exact(exact));
        }
        let mut listed = Vec::with_capacity(lines.len());
        let mut order: Vec<usize> = (0..lines.len()).collect();
        match method {
            // The longest prefix and the narrowest network win.
            Match::Beg => order.sort_by_key(|at| std::cmp::Reverse(lines[*at].0.len())),
            Match::Ip => order.sort_by_key(|at| std::cmp::Reverse(bits(&lines[*at].0))),
            _ => {}
        }
        for at in order {
            let (key, value) = &lines[at];
            let compiled = if method == Match::Reg {
                Key::Regex(Regex::new(key, false)?)
            } else {
                Key::Pattern(Matcher::new(method, &[key], false)?)
            };
            listed.push((compiled, value.clone().unwrap_or_default()));
        }
        Ok(Table::Listed(listed))
    }

    fn find(&self, sample: &Sample<'_>, output: Output) -> Option<Vec<u8>> {
        match self {
            Table::Exact(exact) => exact.get(sample.clone().into_text().as_ref()).cloned(),
            Table::Listed(listed) => listed.iter().find_map(|(key, value)| match key {
                Key::Pattern(matcher) => matcher.matches(sample).then(|| value.clone()),
                Key::Regex(regex) => {
                    let text = sample.clone().into_text();
                    if !regex.is_match(&text) {
                        return None;
                    }
                    match output {
                        Output::Groups => regex.groups(&text, value),
                        _ => Some(value.clone()),
                    }
                }
            }),
        }
    }
}

/// How many bits of a network count.
fn bits(key: &[u8]) -> i64 {
    match memchr::memchr(b'/', key) {
        Some(at) => number(&key[at + 1..]).unwrap_or(0),
        None => 128,
    }
}

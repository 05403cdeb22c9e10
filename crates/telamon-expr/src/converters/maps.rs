//! Maps: a value's key in a file gives another value (manual, `map`).

use std::collections::HashMap;

use telamon_plan::rules::Match;

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::matching::{put_exact, remove_exact, Matcher};
use crate::networks::{Network, Networks};
use crate::patterns::{self, Derived, Output, Use};
use crate::prefixes::Prefixes;
use crate::ranges::Ranges;
use crate::ranked::{Listed, Ranked};
use crate::regex::Regex;
use crate::sample::Sample;
use crate::vars::Vars;

pub(super) const ROWS: &[Row] = &[
    by("map", |args, compiler| {
        map(args, compiler, Match::Str, Output::Text)
    }),
    by("map_beg", |args, compiler| {
        map(args, compiler, Match::Beg, Output::Text)
    }),
    by("map_beg_int", |args, compiler| {
        map(args, compiler, Match::Beg, Output::Int)
    }),
    by("map_beg_ip", |args, compiler| {
        map(args, compiler, Match::Beg, Output::Ip)
    }),
    by("map_beg_key", |args, compiler| {
        map(args, compiler, Match::Beg, Output::Key)
    }),
    by("map_dir", |args, compiler| {
        map(args, compiler, Match::Dir, Output::Text)
    }),
    by("map_dir_int", |args, compiler| {
        map(args, compiler, Match::Dir, Output::Int)
    }),
    by("map_dir_ip", |args, compiler| {
        map(args, compiler, Match::Dir, Output::Ip)
    }),
    by("map_dir_key", |args, compiler| {
        map(args, compiler, Match::Dir, Output::Key)
    }),
    by("map_dom", |args, compiler| {
        map(args, compiler, Match::Dom, Output::Text)
    }),
    by("map_dom_int", |args, compiler| {
        map(args, compiler, Match::Dom, Output::Int)
    }),
    by("map_dom_ip", |args, compiler| {
        map(args, compiler, Match::Dom, Output::Ip)
    }),
    by("map_dom_key", |args, compiler| {
        map(args, compiler, Match::Dom, Output::Key)
    }),
    by("map_end", |args, compiler| {
        map(args, compiler, Match::End, Output::Text)
    }),
    by("map_end_int", |args, compiler| {
        map(args, compiler, Match::End, Output::Int)
    }),
    by("map_end_ip", |args, compiler| {
        map(args, compiler, Match::End, Output::Ip)
    }),
    by("map_end_key", |args, compiler| {
        map(args, compiler, Match::End, Output::Key)
    }),
    by("map_int", |args, compiler| {
        map(args, compiler, Match::Int, Output::Text)
    }),
    by("map_int_int", |args, compiler| {
        map(args, compiler, Match::Int, Output::Int)
    }),
    by("map_int_ip", |args, compiler| {
        map(args, compiler, Match::Int, Output::Ip)
    }),
    by("map_int_key", |args, compiler| {
        map(args, compiler, Match::Int, Output::Key)
    }),
    by("map_ip", |args, compiler| {
        map(args, compiler, Match::Ip, Output::Text)
    }),
    by("map_ip_int", |args, compiler| {
        map(args, compiler, Match::Ip, Output::Int)
    }),
    by("map_ip_ip", |args, compiler| {
        map(args, compiler, Match::Ip, Output::Ip)
    }),
    by("map_ip_key", |args, compiler| {
        map(args, compiler, Match::Ip, Output::Key)
    }),
    by("map_reg", |args, compiler| {
        map(args, compiler, Match::Reg, Output::Text)
    }),
    by("map_reg_int", |args, compiler| {
        map(args, compiler, Match::Reg, Output::Int)
    }),
    by("map_reg_ip", |args, compiler| {
        map(args, compiler, Match::Reg, Output::Ip)
    }),
    by("map_reg_key", |args, compiler| {
        map(args, compiler, Match::Reg, Output::Key)
    }),
    by("map_str", |args, compiler| {
        map(args, compiler, Match::Str, Output::Text)
    }),
    by("map_str_int", |args, compiler| {
        map(args, compiler, Match::Str, Output::Int)
    }),
    by("map_str_ip", |args, compiler| {
        map(args, compiler, Match::Str, Output::Ip)
    }),
    by("map_str_key", |args, compiler| {
        map(args, compiler, Match::Str, Output::Key)
    }),
    by("map_sub", |args, compiler| {
        map(args, compiler, Match::Sub, Output::Text)
    }),
    by("map_sub_int", |args, compiler| {
        map(args, compiler, Match::Sub, Output::Int)
    }),
    by("map_sub_ip", |args, compiler| {
        map(args, compiler, Match::Sub, Output::Ip)
    }),
    by("map_sub_key", |args, compiler| {
        map(args, compiler, Match::Sub, Output::Key)
    }),
    by("map_regm", |args, compiler| {
        map(args, compiler, Match::Reg, Output::Groups)
    }),
];

/// A file's lines in the form in which they are looked up. Of several that match, the first in the
/// file counts; of prefixes and networks the longest.
struct Table {
    keys: Keys,
    method: Match,
    output: Output,
}

enum Keys {
    Exact(HashMap<Vec<u8>, Ranked<Vec<u8>>>),
    Beginnings(Prefixes<Vec<u8>>),
    Networks(Networks<Vec<u8>>),
    Numbers(Ranges<Vec<u8>>),
    Regexes(Listed<(Regex, Vec<u8>)>),
    Listed(Listed<(Matcher, Vec<u8>)>),
}

fn map(args: Args<'_>, compiler: &mut Compiler, method: Match, output: Output) -> Made {
    let set = compiler.set(args.number(0)?.ok_or("the file is missing")?)?;
    let bad = |text: Vec<u8>| format!("'{}' cannot be the default", String::from_utf8_lossy(&text));
    let default = args.text(1);
    let default = default.map(|text| output.of(text.clone()).ok_or_else(|| bad(text)));
    let default = default.transpose()?;
    set.used(Use {
        method,
        ignore_case: false,
        output: Some(output),
    });
    let table = Derived::new(set, move || Table::empty(method, output))?;
    boxed(move |env, sample| {
        // What has not the type of the keys is not looked up, and has no default.
        match method {
            Match::Int => drop(sample.as_int()?),
            Match::Ip => drop(sample.as_ip()?),
            _ => {}
        }
        let found = table.with(|table| table.find(&sample, env.vars));
        let value = found.and_then(|text| output.of(text));
        value.or_else(|| default.clone())
    })
}

impl Table {
    fn empty(method: Match, output: Output) -> Table {
        let keys = match method {
            Match::Str => Keys::Exact(HashMap::new()),
            Match::Beg => Keys::Beginnings(Prefixes::default()),
            Match::Ip => Keys::Networks(Networks::default()),
            Match::Int => Keys::Numbers(Ranges::default()),
            Match::Reg => Keys::Regexes(Listed::default()),
            _ => Keys::Listed(Listed::default()),
        };
        Table {
            keys,
            method,
            output,
        }
    }

    fn find(&self, sample: &Sample<'_>, vars: &Vars) -> Option<Vec<u8>> {
        match &self.keys {
            Keys::Exact(exact) => Some(exact.get(sample.as_text().as_ref())?.first().1.clone()),
            Keys::Beginnings(beginnings) => beginnings.get(&sample.as_text()).cloned(),
            Keys::Networks(networks) => networks.get(sample.as_ip()?).cloned(),
            Keys::Numbers(numbers) => numbers.get(sample.as_int()?).cloned(),
            Keys::Regexes(regexes) => {
                let text = sample.as_text();
                let mut regexes = regexes.values();
                let (regex, value) = regexes.find(|(regex, _)| regex.is_match(&text, vars))?;
                match self.output {
                    Output::Groups => regex.groups(&text, value, vars),
                    _ => Some(value.clone()),
                }
            }
            Keys::Listed(listed) => {
                let mut listed = listed.values();
                let found = listed.find(|(matcher, _)| matcher.matches(sample, vars))?;
                Some(found.1.clone())
            }
        }
    }
}

impl patterns::Table for Table {
    fn put(&mut self, number: u64, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let value = match self.output {
            Output::Key => key.to_vec(),
            _ => value.unwrap_or_default().to_vec(),
        };
        if self.output.of(value.clone()).is_none() {
            let text = String::from_utf8_lossy(&value);
            return Err(format!("'{text}' is no such value"));
        }
        match &mut self.keys {
            Keys::Exact(exact) => put_exact(exact, number, key.to_vec(), value),
            Keys::Beginnings(beginnings) => beginnings.put(number, key.to_vec(), value),
            Keys::Networks(networks) => networks.put(number, Network::new(key)?, value),
            Keys::Numbers(numbers) => numbers.put(number, key, value)?,
            Keys::Regexes(regexes) => regexes.put(number, (Regex::new(key, false)?, value)),
            Keys::Listed(listed) => {
                listed.put(number, (Matcher::new(self.method, key, false)?, value));
            }
        }
        Ok(())
    }

    fn remove(&mut self, number: u64, key: &[u8]) {
        match &mut self.keys {
            Keys::Exact(exact) => remove_exact(exact, number, key),
            Keys::Beginnings(beginnings) => beginnings.remove(number, key),
            Keys::Networks(networks) => {
                if let Ok(network) = Network::new(key) {
                    networks.remove(number, network);
                }
            }
            Keys::Numbers(numbers) => numbers.remove(number, key),
            Keys::Regexes(regexes) => regexes.remove(number),
            Keys::Listed(listed) => listed.remove(number),
        }
    }
}

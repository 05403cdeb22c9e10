//! Maps: a value's key in a file gives another value (manual, `map`).

use std::collections::HashMap;

use telamon_plan::rules::Match;

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::matching::Matcher;
use crate::networks::{Network, Networks};
use crate::patterns::{Derived, Lines, Output, Use};
use crate::prefixes::Prefixes;
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
enum Table {
    Exact(HashMap<Vec<u8>, Vec<u8>>),
    Beginnings(Prefixes<Vec<u8>>),
    Networks(Networks<Vec<u8>>),
    Regexes(Vec<(Regex, Vec<u8>)>),
    Listed(Vec<(Matcher, Vec<u8>)>),
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
    let table = Derived::new(set, move |lines| Table::new(method, lines, output))?;
    boxed(move |env, sample| {
        // What has not the type of the keys is not looked up, and has no default.
        match method {
            Match::Int => drop(sample.as_int()?),
            Match::Ip => drop(sample.as_ip()?),
            _ => {}
        }
        let found = table.with(|table| table.find(&sample, output, env.vars));
        let value = found.and_then(|text| output.of(text));
        value.or_else(|| default.clone())
    })
}

impl Table {
    fn new(method: Match, lines: &Lines, output: Output) -> Result<Table, String> {
        let given = lines.iter().map(|(key, value)| {
            let value = match output {
                Output::Key => key.clone(),
                _ => value.clone().unwrap_or_default(),
            };
            if output.of(value.clone()).is_none() {
                return Err(format!(
                    "'{}' is no such value",
                    String::from_utf8_lossy(&value)
                ));
            }
            Ok((key, value))
        });
        let given = given.collect::<Result<Vec<_>, String>>()?.into_iter();
        Ok(match method {
            Match::Str => {
                let mut exact = HashMap::with_capacity(lines.len());
                for (key, value) in given {
                    exact.entry(key.clone()).or_insert(value);
                }
                Table::Exact(exact)
            }
            Match::Beg => {
                Table::Beginnings(given.map(|(key, value)| (key.clone(), value)).collect())
            }
            Match::Ip => {
                let networks = given.map(|(key, value)| Ok((Network::new(key)?, value)));
                Table::Networks(networks.collect::<Result<_, String>>()?)
            }
            Match::Reg => {
                let regexes = given.map(|(key, value)| Ok((Regex::new(key, false)?, value)));
                Table::Regexes(regexes.collect::<Result<_, String>>()?)
            }
            _ => {
                let listed =
                    given.map(|(key, value)| Ok((Matcher::new(method, &[key], false)?, value)));
                Table::Listed(listed.collect::<Result<_, String>>()?)
            }
        })
    }

    fn find(&self, sample: &Sample<'_>, output: Output, vars: &Vars) -> Option<Vec<u8>> {
        match self {
            Table::Exact(exact) => exact.get(sample.as_text().as_ref()).cloned(),
            Table::Beginnings(beginnings) => beginnings.get(&sample.as_text()).cloned(),
            Table::Networks(networks) => networks.get(sample.as_ip()?).cloned(),
            Table::Regexes(regexes) => {
                let text = sample.as_text();
                let mut regexes = regexes.iter();
                let (regex, value) = regexes.find(|(regex, _)| regex.is_match(&text, vars))?;
                match output {
                    Output::Groups => regex.groups(&text, value, vars),
                    _ => Some(value.clone()),
                }
            }
            Table::Listed(listed) => {
                let mut listed = listed.iter();
                let found = listed.find(|(matcher, _)| matcher.matches(sample, vars))?;
                Some(found.1.clone())
            }
        }
    }
}

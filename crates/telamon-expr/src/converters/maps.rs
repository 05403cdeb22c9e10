//! Maps: a value's key in a file gives another value (manual, `map`).

use std::collections::HashMap;

use telamon_plan::rules::Match;

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::matching::{Matcher, Regex};
use crate::patterns::{tries, Derived, Lines, Output, Use};
use crate::sample::Sample;

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
    boxed(move |_, sample| {
        let found = table.with(|table| table.find(&sample, output));
        let value = found.and_then(|text| output.of(text));
        value.or_else(|| default.clone())
    })
}

impl Table {
    fn new(method: Match, lines: &Lines, output: Output) -> Result<Table, String> {
        let given = |key: &[u8], value: &Option<Vec<u8>>| match output {
            Output::Key => key.to_vec(),
            _ => value.clone().unwrap_or_default(),
        };
        if method == Match::Str {
            let mut exact = HashMap::with_capacity(lines.len());
            for (key, value) in lines {
                // The first line of a key counts.
                exact
                    .entry(key.clone())
                    .or_insert_with(|| given(key, value));
            }
            return Ok(Table::Exact(exact));
        }
        let mut listed = Vec::with_capacity(lines.len());
        for at in tries(method, lines) {
            let (key, value) = &lines[at];
            let compiled = if method == Match::Reg {
                Key::Regex(Regex::new(key, false)?)
            } else {
                Key::Pattern(Matcher::new(method, &[key], false)?)
            };
            listed.push((compiled, given(key, value)));
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

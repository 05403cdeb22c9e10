//! Maps: a value's key in a file gives another value (manual, `map`).

use std::collections::HashMap;

use telamon_plan::rules::Match;

use super::{boxed, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::matching::{Matcher, Regex};
use crate::patterns::{tries, Derived, Lines, Output, Use};
use crate::sample::Sample;

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
    let table = Derived::new(set, move |lines| Table::new(method, lines))?;
    boxed(move |_, sample| {
        let found = table.with(|table| table.find(&sample, output));
        let value = found.and_then(|text| output.of(text));
        value.or_else(|| default.clone())
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
        for at in tries(method, lines) {
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

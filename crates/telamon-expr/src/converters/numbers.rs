//! Arithmetic and logic.

use super::{boxed, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::env::Env;
use crate::sample::{leading_number, Sample};
use crate::vars::Slot;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "add",
        make: |args, compiler| with(args, compiler, i64::saturating_add),
    },
    Row {
        name: "and",
        make: |args, compiler| with(args, compiler, |a, b| a & b),
    },
    Row {
        name: "bool",
        make: |_, _| boxed(|_, sample| Some(Sample::Bool(sample.as_int()? != 0))),
    },
    Row {
        name: "cpl",
        make: |_, _| on_number(|value| !value),
    },
    Row {
        name: "div",
        make: |args, compiler| {
            with(args, compiler, |a, b| {
                if b == 0 {
                    i64::MAX
                } else {
                    a.saturating_div(b)
                }
            })
        },
    },
    Row {
        name: "even",
        make: |_, _| boxed(|_, sample| Some(Sample::Bool(sample.as_int()? & 1 == 0))),
    },
    Row {
        name: "mod",
        make: |args, compiler| {
            with(
                args,
                compiler,
                |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) },
            )
        },
    },
    Row {
        name: "mul",
        make: |args, compiler| with(args, compiler, i64::saturating_mul),
    },
    Row {
        name: "neg",
        make: |_, _| on_number(i64::saturating_neg),
    },
    Row {
        name: "not",
        make: |_, _| boxed(|_, sample| Some(Sample::Bool(sample.as_int()? == 0))),
    },
    Row {
        name: "odd",
        make: |_, _| boxed(|_, sample| Some(Sample::Bool(sample.as_int()? & 1 == 1))),
    },
    Row {
        name: "or",
        make: |args, compiler| with(args, compiler, |a, b| a | b),
    },
    Row {
        name: "sub",
        make: |args, compiler| with(args, compiler, i64::saturating_sub),
    },
    Row {
        name: "xor",
        make: |args, compiler| with(args, compiler, |a, b| a ^ b),
    },
];

fn on_number(convert: fn(i64) -> i64) -> Made {
    boxed(move |_, sample| Some(Sample::Int(convert(sample.as_int()?))))
}

/// The second operand: a number, or a variable that has one.
pub(super) enum Operand {
    Number(i64),
    Variable(Slot),
}

impl Operand {
    pub(super) fn new(text: &[u8], compiler: &mut Compiler) -> Operand {
        match leading_number(text) {
            Some(number) => Operand::Number(number),
            None => Operand::Variable(compiler.slot(&String::from_utf8_lossy(text))),
        }
    }

    pub(super) fn value(&self, env: &Env<'_>) -> Option<i64> {
        match self {
            Operand::Number(number) => Some(*number),
            Operand::Variable(slot) => env.vars.get(*slot)?.as_int(),
        }
    }
}

fn with(args: Args<'_>, compiler: &mut Compiler, convert: fn(i64, i64) -> i64) -> Made {
    let text = args.needed(0, "a number or a variable")?;
    let operand = Operand::new(&text, compiler);
    boxed(move |env, sample| {
        let value = sample.as_int()?;
        Some(Sample::Int(convert(value, operand.value(env)?)))
    })
}

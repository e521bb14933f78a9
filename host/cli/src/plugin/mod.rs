//! `plugin new`, `check`, `test`, `bench` and `list`.

mod actual_result;
mod bench;
mod case_runner;
mod check;
mod golden_case;
mod json_diff;
mod list;
mod load;
mod new;
mod run;
mod running_gateway;
mod templates;
mod test;

pub(super) use run::run;

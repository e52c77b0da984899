//! Whole files: what may not be in a source, and what is refused at its top level.

use tana_sandbox::message::ErrorCode::{Forbidden, Module, OutOfGas, Reserved, Syntax};

use super::Bodies;

pub(super) const FILES: Bodies = &[
    ("for (;;);", &[OutOfGas]),
    ("await (async () => { for (;;); })();", &[OutOfGas]),
    ("const $g = [1];", &[Reserved]),
    ("$x();", &[Reserved]),
    ("$g[0] = 1e9;", &[Reserved]),
    ("export const f = ($l: any) => $l;", &[Reserved]),
    ("class $s {}", &[Reserved]),
    ("import { $g as g } from 'tana:meter';", &[Module]),
    ("import 'ext:core/mod.js';", &[Module]),
    ("import 'file:///etc/passwd';", &[Module]),
    ("import 'https://example.com/a.ts';", &[Module]),
    ("import '../secret.ts';", &[Module]),
    ("import('tana/' + 'core');", &[Forbidden]),
    ("export * from 'tana/core';", &[Forbidden]),
    ("export { console } from 'tana/core';", &[Forbidden]),
    ("console.log(import.meta.url);", &[Forbidden]),
    ("eval('1');", &[Forbidden]),
    ("const e = eval; e('1');", &[Forbidden]),
    ("with ({}) {}", &[Syntax, Forbidden]),
    ("@((c: any) => c) class A {}", &[Forbidden]),
    (
        "export const contract = () => /(?=a)/.test('a');",
        &[Forbidden],
    ),
    (
        "export const contract = () => /(a)\\1/.test('aa');",
        &[Forbidden],
    ),
    (
        "export const contract = () => /[a&&b]/v.test('a');",
        &[Forbidden],
    ),
    (
        "export function contract() { function a() {} function a() {} }",
        &[Syntax],
    ),
    ("$d();", &[Reserved]),
    ("let a = ;", &[Syntax]),
    ("{", &[Syntax]),
];

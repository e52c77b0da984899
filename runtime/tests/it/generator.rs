//! Makes programs: TypeScript over the whole language, from a number. The same number makes the same program, so this
//! file and the outcomes in `corpus/generated.txt` belong together.

use std::fmt::Write;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'t>(&mut self, among: &[&'t str]) -> &'t str {
        among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }
}

/// The program of a number.
pub(crate) fn program(number: u64) -> String {
    let mut maker = Maker {
        random: Random(number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
        names: 0,
    };
    let mut body = String::new();
    for _ in 0..4 + maker.random.below(6) {
        let statement = maker.statement(3);
        // Most go on after an exception, as programs do.
        if maker.below(4) == 0 {
            writeln!(body, "  {statement}").unwrap();
        } else {
            writeln!(
                body,
                "  try {{ {statement} }} catch (e: any) {{ out.push(e.name); }}"
            )
            .unwrap();
        }
    }
    format!(
        "import {{ console }} from 'tana/core';\nimport {{ data }} from 'tana/data';\nexport async function contract(): Promise<any> {{\n  \
         let n: any = {}, k: any = {}, s: any = {}, t: any = 'abc', b: any = {}, q: any = true;\n  \
         let a: any[] = [3, 1, 2], o: any = {{ x: 1, y: {{ z: [4, 5] }} }};\n  const m = new Map<any, any>(), u = new Set<any>(), out: any[] = [];\n\
         {body}  await data.set('n', String(n)); await data.set('a', a.length); await data.commit();\n  console.log(s, q);\n  \
         return [n, k, s, t, String(b), q, a.slice(0, 40), o, [...m].slice(0, 20), [...u].slice(0, 20), out.slice(0, 60)];\n}}\n",
        maker.below(1000),
        maker.random.pick(&["0.5", "-7", "1e21", "NaN"]),
        maker.random.pick(&["''", "'seed'", "'a1b2'", "'ÄÖü'"]),
        maker.random.pick(&["1n", "-99n", "2n ** 65n"]),
    )
}

struct Maker {
    random: Random,
    names: u32,
}

impl Maker {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 {
            let literal = self.below(100);
            return match self.below(5) {
                0 => "n".into(),
                1 => "k".into(),
                2 => format!("{literal}"),
                3 => format!("{}.{literal}", self.below(9)),
                _ => self
                    .random
                    .pick(&[
                        "a.length", "-1", "0", "1e3", "2 ** 31", "0.1", "NaN", "s.length", "m.size",
                    ])
                    .into(),
            };
        }
        let (x, y) = (self.number(depth - 1), self.number(depth - 1));
        match self.below(14) {
            0..=3 => {
                let operator = self
                    .random
                    .pick(&["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", ">>>"]);
                format!("(({x}) {operator} ({y}))")
            }
            4 => format!("(({x}) ** (({y}) % 4))"),
            5 | 6 => {
                let function = self.random.pick(&[
                    "sin", "cos", "tan", "exp", "log", "log2", "log10", "sqrt", "cbrt", "abs",
                    "floor", "ceil", "round", "trunc", "sign", "atan", "tanh", "fround", "clz32",
                    "log1p", "expm1", "asinh",
                ]);
                format!("Math.{function}({x})")
            }
            7 => {
                let function = self
                    .random
                    .pick(&["max", "min", "atan2", "pow", "hypot", "imul"]);
                format!("Math.{function}({x}, {y})")
            }
            8 => format!("({} ? {x} : {y})", self.condition(depth - 1)),
            9 => format!("Number({})", self.text(depth - 1)),
            10 => format!(
                "{}.reduce((p: any, c: any) => p + c, {x})",
                self.list(depth - 1)
            ),
            11 => format!(
                "parseInt({}, {})",
                self.text(depth - 1),
                self.random.pick(&["10", "16", "8", "2"])
            ),
            12 => format!("{}.indexOf({})", self.text(depth - 1), self.text(depth - 1)),
            _ => format!("(n {} {x})", self.random.pick(&["+=", "-=", "="])),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self
                .random
                .pick(&[
                    "s",
                    "t",
                    "''",
                    "'abc'",
                    "'a1b2,c3'",
                    "'Zürich😀'",
                    "'x y  z'",
                    "`t${1}`",
                    "'-12.5e2'",
                    "'ß'",
                    "'A\\u0301'",
                ])
                .into();
        }
        let (x, y) = (self.text(depth - 1), self.text(depth - 1));
        match self.below(16) {
            0 => format!("({x} + {y})"),
            1 => format!("`<${{{x}}}|${{{}}}>`", self.number(depth - 1)),
            2 => format!(
                "{x}.{}()",
                self.random
                    .pick(&["toUpperCase", "toLowerCase", "trim", "trimEnd", "toString"])
            ),
            3 => format!(
                "{x}.slice({}, {})",
                self.below(4),
                self.random.pick(&["3", "-1", "9", "undefined"])
            ),
            4 => format!("{x}.padStart({}, {y})", self.below(12)),
            5 => format!("{x}.repeat({})", self.below(4)),
            6 => format!("{x}.replace({}, {y})", self.pattern()),
            7 => format!("{x}.replaceAll({y}, '$&-')"),
            8 => format!("{x}.split({}).join({y})", self.pattern()),
            9 => format!("String({})", self.number(depth - 1)),
            10 => format!("({}).toFixed({})", self.number(depth - 1), self.below(6)),
            11 => format!("JSON.stringify({})", self.list(depth - 1)),
            12 => format!("String({x}.match({}))", self.pattern()),
            13 => format!(
                "({}).toString({})",
                self.big(depth - 1),
                self.random.pick(&["10", "16", "36"])
            ),
            14 => format!("[...{x}].reverse().join('')"),
            _ => format!("({x}.at({}) ?? {y})", self.below(5)),
        }
    }

    fn pattern(&mut self) -> String {
        self.random
            .pick(&[
                "/[a-c]/g",
                "/\\d+/",
                "/(\\w)(\\d)?/g",
                "/\\s*/",
                "/[^a-z]/gi",
                "/a|b|/g",
                "/(?<l>[a-z])(?:,|$)/",
                "/^./u",
                "/\\b/g",
                "/z{1,2}?/i",
                "/([a-c]\\d)+/g",
                "/./gu",
                "/\\p{L}+/gu",
                "'b'",
                "','",
            ])
            .into()
    }

    fn big(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self
                .random
                .pick(&[
                    "b",
                    "7n",
                    "-3n",
                    "0n",
                    "123456789012345678901234567890n",
                    "2n ** 70n",
                ])
                .into();
        }
        let (x, y) = (self.big(depth - 1), self.big(depth - 1));
        match self.below(7) {
            0..=2 => format!(
                "(({x}) {} ({y}))",
                self.random.pick(&["+", "-", "*", "&", "|", "^"])
            ),
            3 => format!("(({x}) / (({y}) || 1n))"),
            4 => format!("(({x}) % (({y}) || 5n))"),
            5 => format!("(({x}) << {}n)", self.below(40)),
            _ => format!("BigInt.asIntN({}, {x})", 1 + self.below(80)),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        match self.below(7) {
            0 => format!("({} < {})", self.number(depth), self.number(depth)),
            1 => format!("({} === {})", self.number(depth), self.number(depth)),
            2 => format!("({} >= {})", self.text(depth), self.text(depth)),
            3 => format!("{}.includes({})", self.text(depth), self.text(depth)),
            4 => format!(
                "{}.test({})",
                self.random.pick(&["/a/", "/^\\d/", "/b.c/i", "/x?$/"]),
                self.text(depth)
            ),
            5 => format!(
                "!{}",
                self.random
                    .pick(&["q", "n", "s", "(k > 1)", "u.has(n)", "m.has(s)"])
            ),
            _ => format!(
                "({} {} q)",
                self.random.pick(&["n", "k", "s"]),
                self.random.pick(&["&&", "||", "??"])
            ),
        }
    }

    fn list(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self
                .random
                .pick(&[
                    "a",
                    "[1, 2, 3]",
                    "[]",
                    "Object.values({ p: 1, q: 2 })",
                    "[...u]",
                    "[5, , 7]",
                    "Array.from({ length: 4 }, (_, i) => i * i)",
                ])
                .into();
        }
        let x = self.list(depth - 1);
        match self.below(13) {
            0 => format!("{x}.map((e: any, i: number) => [e, i][i % 2])"),
            1 => format!("{x}.filter((e: any) => e > {})", self.number(0)),
            2 => format!("[...{x}, {}]", self.number(depth - 1)),
            3 => format!(
                "{x}.slice().sort({})",
                self.random.pick(&[
                    "",
                    "(p: any, r: any) => p - r",
                    "(p: any, r: any) => r - p",
                    "() => 0"
                ])
            ),
            4 => format!("{x}.concat({})", self.list(depth - 1)),
            5 => format!("{x}.toReversed()"),
            6 => format!("{x}.flatMap((e: any) => [e, [e]])"),
            7 => format!("{x}.slice({}, -1)", self.below(3)),
            8 => format!("JSON.parse(JSON.stringify({x}))"),
            9 => format!("[...new Set({x})]"),
            10 => format!("Array.from(new Uint8Array({x}))"),
            11 => format!("{x}.with(0, {})", self.number(depth - 1)),
            _ => format!(
                "{}.split('').map((c: string) => c.codePointAt(0))",
                self.text(depth - 1)
            ),
        }
    }

    fn block(&mut self, depth: u32) -> String {
        let mut text = String::from("{ ");
        for _ in 0..1 + self.below(3) {
            text += &self.statement(depth);
            text.push(' ');
        }
        text + "}"
    }

    fn simple(&mut self) -> String {
        match self.below(14) {
            0 => format!("n = {};", self.number(2)),
            1 => format!("k = {};", self.number(2)),
            2 => format!("s = String({}).slice(0, 60);", self.text(2)),
            3 => format!("t = {}.slice(0, 20);", self.text(1)),
            4 => format!("b = BigInt.asIntN(256, {});", self.big(2)),
            5 => format!("a = {}.slice(0, 30);", self.list(2)),
            6 => format!("m.set({}, {});", self.text(1), self.number(1)),
            7 => format!("u.add({});", self.number(1)),
            8 => format!("out.push({});", self.number(2)),
            9 => format!("out.push(String({}).slice(0, 40));", self.text(2)),
            10 => format!("q = {};", self.condition(1)),
            11 => format!(
                "o = {{ ...o, [{}]: {} }};",
                self.random.pick(&["'x'", "'w'", "s.slice(0, 3)", "k"]),
                self.number(1)
            ),
            12 => format!(
                "n {} {};",
                self.random
                    .pick(&["+=", "-=", "*=", "||=", "??=", "|=", ">>>="]),
                self.number(1)
            ),
            _ => format!(
                "out.push(typeof {}, o?.y?.z?.[{}] ?? null);",
                self.random
                    .pick(&["n", "s", "b", "q", "m", "o.y", "nothing"]),
                self.below(3)
            ),
        }
    }

    fn statement(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.simple();
        }
        let d = depth - 1;
        let (v, w) = (self.name(), self.name());
        match self.below(24) {
            0..=4 => self.simple(),
            5 => format!(
                "if ({}) {} else {}",
                self.condition(1),
                self.block(d),
                self.block(d)
            ),
            6 => format!(
                "for (let {v} = 0; {v} < {}; {v}++) {}",
                self.below(6),
                self.block(d)
            ),
            7 => format!(
                "for (const {v} of {}) {{ if (out.length > 50) break; out.push({v}); {} }}",
                self.list(1),
                self.statement(d)
            ),
            8 => format!("for (const {v} in o) {{ if ({v} === 'y') continue; out.push({v}); }}"),
            9 => format!(
                "{{ let {v} = 0; do {{ {v}++; {} }} while ({v} < {}); }}",
                self.statement(d),
                self.below(5)
            ),
            10 => format!(
                "switch ({} % 4) {{ case 0: {} case 1: {} break; default: {} }}",
                self.number(1),
                self.simple(),
                self.simple(),
                self.simple()
            ),
            11 => format!(
                "try {{ {} if ({}) throw new {}('no'); }} catch ({v}: any) {{ out.push({v}.name, {v} instanceof Error); {} }} finally {}",
                self.statement(d),
                self.condition(1),
                self.random.pick(&["Error", "TypeError", "RangeError"]),
                self.statement(d),
                self.block(d)
            ),
            12 => format!(
                "{{ const {v} = (x: any, y = x, ...r: any[]): any => x > 0 ? {v}(x - 1, {}) : r.length + Number(y); out.push({v}({})); }}",
                self.number(1),
                self.below(30)
            ),
            13 => format!(
                "class {v} {{ #p = {}; static c = {}; w = this.#p; constructor(public z: any = 1) {{}} get p() {{ return this.#p; }} set p(x) {{ this.#p = x; }} m(x: any) {{ return [this.z, x, {v}.c]; }} }} \
                 class {w} extends {v} {{ override m(x: any): any {{ return super.m({}).concat(x); }} static {{ {v}.c += 1; }} }} {{ const i = new {w}({}); i.p += 1; out.push(i.p, ...i.m(2), i instanceof {v}); }}",
                self.number(1),
                self.number(1),
                self.number(1),
                self.number(1)
            ),
            14 => format!(
                "{{ function* {v}(x: any): any {{ try {{ for (let i = 0; i < x; i++) {{ const r = yield i + {}; if (r) out.push(r); }} }} finally {{ out.push('end'); }} }} \
                 const g = {v}({}); out.push(g.next().value, g.next({}).value, g.{}.done); for (const e of {v}(2)) out.push(e); }}",
                self.number(0),
                self.below(4),
                self.number(0),
                self.random.pick(&["next()", "return(1)", "next('r')"])
            ),
            15 => format!(
                "{{ const {v} = async (x: any) => {{ await null; if (x > 3) throw new RangeError('r'); return x * 2; }}; out.push((await Promise.allSettled([{v}({}), {v}({}), 5])).map((r: any) => r.status + (r.value ?? r.reason.name)).join()); }}",
                self.number(0),
                self.number(0)
            ),
            16 => format!(
                "{{ async function* {v}() {{ yield 1; await 0; yield* [{}, 3]; }} for await (const e of {v}()) {{ out.push(e); if (e > 2) break; }} }}",
                self.number(0)
            ),
            17 => format!(
                "{{ const [p, , ...[r, ...e]] = [{}, 2, {}, 4, 5]; const {{ x = 7, y: {{ z: [c, ...d] = [1] }} = {{}} as any, ...f }}: any = o; out.push(p, r, e, x, c, d, Object.keys(f).length); }}",
                self.number(1),
                self.number(1)
            ),
            18 => format!(
                "{v}: for (let i = 0; i < 4; i++) {{ for (let j = 0; j < 4; j++) {{ if (i * j === {}) continue {v}; if (i + j > {}) break {v}; {} }} }}",
                self.below(6),
                self.below(7),
                self.simple()
            ),
            19 => format!(
                "{{ const {v} = Array.from({{ length: {} }}, (_, i) => ({{ k: (i * 7) % 3, i }})); {v}.sort((p, r) => p.k - r.k); out.push({v}.map((e) => e.i).join('')); }}",
                self.below(20)
            ),
            20 => format!(
                "{{ const {v}: any = {{ a: [{}, {{ b: {} }}], d: null, e: undefined }}; out.push(JSON.stringify({v}, null, {}), JSON.parse(JSON.stringify({v})).a.length); }}",
                self.number(1),
                self.text(1),
                self.below(3)
            ),
            21 => format!(
                "for (const {v} of {}.matchAll(/([a-z])(\\d)?/g)) {{ if (out.length > 50) break; out.push({v}.index, {v}[0], {v}[2] ?? null); }}",
                self.text(1)
            ),
            22 => format!(
                "{{ const {v} = ((c: number) => ({{ up: () => (c += {}), get: () => c }}))({}); {v}.up(); {v}.up(); out.push({v}.get()); }}",
                self.number(0),
                self.number(0)
            ),
            _ => format!(
                "{{ let {v} = {}; while ({v} < 20 && out.length < 40) {{ {v} += 3; {} }} }}",
                self.below(20),
                self.statement(d)
            ),
        }
    }
}

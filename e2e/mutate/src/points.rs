//! Where a source text can be made wrong, and how.
//!
//! A point is one small change that may go unnoticed: an operator for its neighbour, a negation left out, a guard that
//! always or never holds, a function that answers at once with nothing.
//!
//! Promises: a point is named by what it changes and where, not by a line number, so that its name outlives edits elsewhere;
//! tests, `Debug` and what is computed by the compiler (constants) are left alone, and so is what stands inside a macro.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, Signature, Stmt, UnOp};

use crate::values::values;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Beneath the crate's `src`.
    pub file: String,
    pub line: usize,
    /// With the type that it belongs to: `Inner::evict`.
    function: String,
    pub place: Place,
    /// What is replaced, in bytes of the text.
    pub range: Range<usize>,
    /// What stands there instead.
    pub code: String,
    /// The same for people, shortened.
    was: String,
    becomes: String,
    /// How many of the same name stand before it.
    nth: usize,
}

/// What a point replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An expression, by another.
    Expression,
    /// All that a function does, by what it answers; the range is the empty one where the body begins.
    Body,
}

impl Display for Point {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { file, function, was, becomes, nth, .. } = self;
        write!(f, "{file} {function}: `{was}` -> `{becomes}`")?;
        if *nth > 0 { write!(f, " #{}", nth + 1) } else { Ok(()) }
    }
}

/// What was found in a text.
#[derive(Debug, Default)]
pub struct Found {
    pub points: Vec<Point>,
    /// The words that make functions constant: a constant function cannot ask which mutant is on trial.
    pub constant: Vec<Range<usize>>,
}

/// Every point of a text.
///
/// # Errors
/// When it is no Rust.
pub fn find(file: &str, source: &str) -> Result<Found, String> {
    let tree = syn::parse_file(source).map_err(|error| format!("{file}: {error}"))?;
    let mut finder = Finder {
        file,
        source,
        found: Found::default(),
        owner: String::new(),
        scope: Scope::default(),
        seen: BTreeMap::new(),
    };
    finder.visit_file(&tree);
    Ok(finder.found)
}

/// The function whose body is looked at.
#[derive(Default, Clone)]
struct Scope {
    name: String,
    /// What a `return` may give instead; nothing inside a closure, whose type is not written down.
    values: Vec<String>,
}

struct Finder<'a> {
    file: &'a str,
    source: &'a str,
    found: Found,
    owner: String,
    scope: Scope,
    seen: BTreeMap<(String, String, String), usize>,
}

impl Finder<'_> {
    fn text(&self, spanned: &impl Spanned) -> &str {
        self.source.get(spanned.span().byte_range()).unwrap_or_default()
    }

    fn expression(&mut self, whole: &impl Spanned, was: String, becomes: &str, code: String) {
        let (line, range) = (whole.span().start().line, whole.span().byte_range());
        self.push(Place::Expression, line, range, was, becomes, code);
    }

    fn push(&mut self, place: Place, line: usize, range: Range<usize>, was: String, becomes: &str, code: String) {
        let (file, function, becomes) = (self.file.to_owned(), self.scope.name.clone(), short(becomes));
        let seen = self.seen.entry((function.clone(), was.clone(), becomes.clone())).or_default();
        let nth = *seen;
        *seen += 1;
        self.found.points.push(Point { file, line, function, place, range, code, was, becomes, nth });
    }

    fn function(&mut self, signature: &Signature, body: &Block) {
        if let Some(word) = &signature.constness {
            self.found.constant.push(word.span().byte_range());
        }
        let name = if self.owner.is_empty() {
            signature.ident.to_string()
        } else {
            format!("{}::{}", self.owner, signature.ident)
        };
        let inner = Scope { name, values: values(&signature.output) };
        let outer = std::mem::replace(&mut self.scope, inner);
        let start = body.brace_token.span.open().byte_range().end;
        // What the body says already is no change.
        let said = match body.stmts.as_slice() {
            [] => "()",
            [Stmt::Expr(value, None)] => self.text(value),
            _ => "",
        };
        let said = said.to_owned();
        for value in self.scope.values.clone() {
            if value != said {
                let line = signature.span().start().line;
                self.push(Place::Body, line, start..start, "{ .. }".to_owned(), &value, value.clone());
            }
        }
        visit::visit_block(self, body);
        self.scope = outer;
    }

    fn within(&mut self, owner: String, look: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, owner);
        look(self);
        self.owner = outer;
    }

    /// A block of its own, whose `return` is not the function's.
    fn apart(&mut self, look: impl FnOnce(&mut Self)) {
        let outer = self.scope.clone();
        self.scope.values.clear();
        look(self);
        self.scope = outer;
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of_trait = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        if is_test(&item.attrs) || of_trait.is_some_and(|name| name.ident == "Debug") {
            return;
        }
        let owner = self.text(&item.self_ty).split('<').next().unwrap_or_default().to_owned();
        self.within(owner, |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), |finder| visit::visit_item_trait(finder, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.apart(|finder| visit::visit_expr_closure(finder, closure));
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.apart(|finder| visit::visit_expr_async(finder, block));
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let (left, right) = (self.text(&binary.left).to_owned(), self.text(&binary.right).to_owned());
        let was = format!("{} {} {}", end(&left), self.text(&binary.op), short(&right));
        let is_chain = chains(&binary.left) || chains(&binary.right);
        for other in neighbours(&binary.op).iter().filter(|_| !is_chain) {
            self.expression(binary, was.clone(), other, format!("({left}) {other} ({right})"));
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        if matches!(unary.op, UnOp::Not(_)) {
            let (was, code) = (short(self.text(unary)), self.text(&unary.expr).to_owned());
            self.expression(unary, was, &code.clone(), code);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = arm.guard.as_ref().filter(|(_, guard)| !chains(guard)) {
            let was = format!("if {}", short(self.text(guard)));
            for other in ["true", "false"] {
                self.expression(guard, was.clone(), other, other.to_owned());
            }
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_return(&mut self, back: &'ast syn::ExprReturn) {
        if let Some(value) = &back.expr {
            let was = format!("return {}", short(self.text(value)));
            let others = self.scope.values.clone().into_iter().filter(|other| other != self.text(value));
            for other in others.collect::<Vec<_>>() {
                self.expression(value, was.clone(), &other, other.clone());
            }
        }
        visit::visit_expr_return(self, back);
    }

    // What the compiler computes cannot be changed at run time.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_variant(&mut self, _: &'ast syn::Variant) {}
}

/// The operators that one may be mistaken for.
fn neighbours(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["<=", ">="],
        BinOp::Le(_) => &["<", ">"],
        BinOp::Gt(_) => &[">=", "<="],
        BinOp::Ge(_) => &[">", "<"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Add(_) => &["-"],
        BinOp::Sub(_) => &["+"],
        BinOp::AddAssign(_) => &["-="],
        BinOp::SubAssign(_) => &["+="],
        _ => &[],
    }
}

/// Whether a condition binds names (`let` in a chain): those would be gone in another expression.
fn chains(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => chains(&binary.left) || chains(&binary.right),
        _ => false,
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        meta => meta.path().segments.last().is_some_and(|last| last.ident == "test"),
    })
}

/// How much of an operand is shown.
const SHOWN: usize = 40;

/// On one line, and the beginning of it.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN { line } else { line.chars().take(SHOWN).collect::<String>() + ".." }
}

/// On one line, and the end of it.
fn end(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let more = line.chars().count().saturating_sub(SHOWN);
    if more == 0 { line } else { "..".to_owned() + &line.chars().skip(more).collect::<String>() }
}

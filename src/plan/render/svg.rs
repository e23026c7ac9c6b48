//! A drawing of a plan that needs no other program: SVG, from left to right, groups as frames.

mod paper;
mod scene;
mod ways;

use super::picture::arrows;
use crate::diag::Diagnostic;
use crate::plan::Plan;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::wording::count;
use scene::Scene;

/// Plans with more steps than this are not drawn: nobody could look at them.
pub const SVG_MOST: usize = 2_000;

/// Nor are plans with more arrows than this.
const ARROWS_MOST: usize = 10_000;

/// A plan as an SVG drawing, on a light ground.
///
/// # Errors
/// `flow::plan::too_large` with more than [`SVG_MOST`] steps, or with more arrows than can be told apart.
pub fn svg(plan: &Plan) -> Result<String, Diagnostic> {
    let too_large = |what: String| {
        Diagnostic::new("flow::plan::too_large", format!("the plan has {what}, too many to be drawn as SVG")).help(
            "`flow plan --format dot` writes it for Graphviz, whose `sfdp` draws large graphs; or look at it as text",
        )
    };
    if plan.steps.len() > SVG_MOST {
        return Err(too_large(format!("{} steps", count(plan.steps.len()))));
    }
    let arrows = arrows(plan);
    if arrows.len() > ARROWS_MOST {
        return Err(too_large(format!("{} arrows", count(arrows.len()))));
    }
    let tree = Hierarchy::drawn(plan);
    let scene = Scene::of(plan, &tree, arrows);
    Ok(paper::draw(plan, &tree, &scene))
}

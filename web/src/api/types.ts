// The API's types by short names; the long ones are generated from its OpenAPI document.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Overview = Schemas["Overview"];
export type FeatureView = Schemas["FeatureView"];
export type Connection = Schemas["Connection"];
export type NodeView = Schemas["NodeView"];
export type NodesChange = Schemas["NodesChange"];
export type Decision = Schemas["Decision"];
export type Candidate = Schemas["Candidate"];
export type DecisionPage = Schemas["DecisionPage"];
export type DecisionDetail = Schemas["DecisionDetail"];
export type ObjectRef = Schemas["ObjectRef"];
export type OutcomeChange = Schemas["OutcomeChange"];
export type EffectChange = Schemas["EffectChange"];
export type Subject = Schemas["Subject"];
export type Preview = Schemas["PreviewAnswer"];
export type Switched = Schemas["Switched"];
export type Mode = Schemas["Mode"];
export type Feature = Schemas["Feature"];

// The API's types by short names; the long ones are generated from its OpenAPI document.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Overview = Schemas["Overview"];
export type FeatureView = Schemas["FeatureView"];
export type Connection = Schemas["Connection"];
export type NodeView = Schemas["NodeView"];
export type NodesChange = Schemas["NodesChange"];
export type Candidate = Schemas["Candidate"];
export type ObjectRef = Schemas["ObjectRef"];
export type Decision = Schemas["Decision"] & { related?: ObjectRef[] };
export type DecisionPage = Omit<Schemas["DecisionPage"], "decisions"> & { decisions: Decision[] };
export type DecisionDetail = { decision: Decision; causes: Decision[]; consequences: Decision[]; hidden?: number };
export type OutcomeChange = Schemas["OutcomeChange"];
export type EffectChange = Schemas["EffectChange"];
export type Subject = Schemas["Subject"];
export type Condition = Schemas["Condition"];
export type Trigger = Schemas["Trigger"];
export type Preview = Schemas["PreviewAnswer"];
export type Switched = Schemas["Switched"];
export type WhatIf = Omit<Schemas["WhatIfAnswer"], "decision"> & { decision: Decision };
export type Session = Schemas["Session"];
export type Mode = Schemas["Mode"];
export type Feature = Schemas["Feature"];
export type Fact = Schemas["FactView"];

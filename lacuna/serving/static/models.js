/** The models behind the service, as /metadata describes them. */

const WEAKNESSES = {
  "no signal shown": "On test images no better than chance: do not rely on it.",
  "too few labels": "Too few labels to say how good it is.",
  "too few of the rarer class": "Too few images of its rarer class to say how good it is.",
  "signal, no F1 gain shown": "Sorts images better than chance, but its decisions do not beat the trivial answer.",
};

/**
 * The targets of all models by the name under which answers have them: `{model, name, about, metrics}`. A name that
 * two models share carries its model's in front. `metrics` are those of the test part, undefined where there are none.
 */
export function targetsOf(models) {
  const owners = new Map();
  for (const { targets } of models) {
    for (const name of Object.keys(targets)) owners.set(name, (owners.get(name) ?? 0) + 1);
  }
  const found = new Map();
  for (const model of models) {
    for (const [name, about] of Object.entries(model.targets)) {
      const key = owners.get(name) > 1 ? `${model.name}/${name}` : name;
      found.set(key, { model, name, about, metrics: model.metrics?.targets?.[name] });
    }
  }
  return found;
}

/** Why a target's answers should not be relied on, or null where its test metrics give no reason. */
export function weakness(metrics) {
  return WEAKNESSES[metrics?.verdict] ?? null;
}

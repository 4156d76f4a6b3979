"""What the command says around rules and assessments, in French and in English."""

from compliance.periods import Length, Step
from compliance.rulebook.texts import Language, word

PHRASES: dict[str, dict[Language, str]] = {
    "as of": {"en": "As of {day}, under {pack}: {regime}", "fr": "Au {day}, selon {pack} : {regime}"},
    "route": {"en": "Route", "fr": "Voie"},
    "no route": {"en": "none: stopped before any route", "fr": "aucune : arrêtée avant toute voie"},
    "status": {"en": "Status", "fr": "État"},
    "outcome": {"en": "Outcome", "fr": "Issue"},
    "none yet": {"en": "none yet", "fr": "aucune à ce jour"},
    "may start": {"en": "May start", "fr": "Peut commencer"},
    "yes": {"en": "yes", "fr": "oui"},
    "no": {"en": "no", "fr": "non"},
    "permit": {"en": "Permit", "fr": "Autorisation"},
    "permit line": {
        "en": "{kind}, {status}, version {version}, from {first} to {last} ({months} months)",
        "fr": "{kind}, {status}, version {version}, du {first} au {last} ({months} mois)",
    },
    "environment": {"en": "Environment", "fr": "Environnement"},
    "cleared": {"en": "{id}: cleared", "fr": "{id} : conforme"},
    "not cleared": {"en": "{id}: not cleared", "fr": "{id} : non conforme"},
    "why": {"en": "Why", "fr": "Pourquoi"},
    "missing": {"en": "What is missing", "fr": "Ce qui manque"},
    "deadlines": {"en": "Deadlines", "fr": "Délais"},
    "conditions": {"en": "Conditions", "fr": "Conditions"},
    "to do": {"en": "What is left to do", "fr": "Ce qu'il reste à faire"},
    "aside": {"en": "Routes left aside", "fr": "Voies écartées"},
    "datasets": {"en": "Datasets", "fr": "Jeux de données"},
    "opt-outs": {"en": "Opt-outs", "fr": "Oppositions"},
    "outputs": {"en": "Outputs", "fr": "Sorties"},
    "articles": {"en": "Articles", "fr": "Articles"},
    "code": {"en": "Code", "fr": "Code"},
    "in words": {"en": "In words", "fr": "En clair"},
    "article": {"en": "Article", "fr": "Article"},
    "about": {"en": "About", "fr": "Concerne"},
    "by whom": {"en": "By whom", "fr": "Par qui"},
    "confidence": {"en": "confidence: {level}", "fr": "confiance : {level}"},
    "awaited": {"en": "Awaited", "fr": "Attendu"},
    "by": {"en": "By", "fr": "Échéance"},
    "where it stands": {"en": "Where it stands", "fr": "Où il en est"},
    "runs from": {"en": "From", "fr": "Depuis"},
    "if silent": {"en": "If nothing is said", "fr": "En cas de silence"},
    "colon": {"en": "{name}: {text}", "fr": "{name} : {text}"},
    "extended": {"en": "extended once", "fr": "prolongé une fois"},
    "person": {"en": "Person", "fr": "Personne"},
    "effect": {"en": "Effect", "fr": "Effet"},
    "dataset": {"en": "Dataset", "fr": "Jeu de données"},
    "decision": {"en": "Decision", "fr": "Décision"},
    "output": {"en": "Output", "fr": "Sortie"},
    "verdict": {"en": "Verdict", "fr": "Verdict"},
    "register": {
        "en": "Public register: the application by {day}",
        "fr": "Répertoire public : la demande au plus tard le {day}",
    },
    "register decision": {"en": ", the decision ({kind})", "fr": ", la décision ({kind})"},
    "register by": {"en": " by {day}", "fr": " au plus tard le {day}"},
    "next change": {
        "en": "Nothing changes by itself before {day}.",
        "fr": "Rien ne change de soi-même avant le {day}.",
    },
    "more": {
        "en": "guichet rules explain CODE says what a code means and what to do.",
        "fr": "guichet rules explain CODE dit ce qu'un code signifie et ce qu'il faut faire.",
    },
    "kind": {"en": "Kind", "fr": "Nature"},
    "pack": {"en": "Pack", "fr": "Règles"},
    "sure": {"en": "Confidence", "fr": "Confiance"},
    "period": {"en": "Period", "fr": "Délai"},
    "from": {"en": "{length}, from: {start}", "fr": "{length}, à partir de : {start}"},
    "can extend": {"en": "may be extended once by {more}", "fr": "prolongeable une fois de {more}"},
    "with reasons": {"en": ", with reasons", "fr": ", par décision motivée"},
    "setting": {
        "en": "{level}; setting {name} = {value}: {what}",
        "fr": "{level} ; paramètre {name} = {value} : {what}",
    },
    "left aside when": {"en": "Left aside when, in this order:", "fr": "Écartée quand, dans cet ordre :"},
    "documents": {"en": "Documents", "fr": "Pièces"},
}


def say(phrase: str, lang: Language, **values: object) -> str:
    """A phrase with its values in place."""
    return PHRASES[phrase][lang].format(**values)


def length_of(length: Length, lang: Language) -> str:
    """A length in words: 7 working days, 7 jours ouvrés."""
    one = f"one {length.unit}"
    unit = one if length.count == 1 and word("units", one, lang) != one else length.unit
    return word("units", unit, lang).format(n=length.count)


def period_of(step: Step, lang: Language) -> str:
    """A step in words: how long, from when, whether it can be extended, what silence means."""
    parts = [say("from", lang, length=length_of(step.length, lang), start=word("starts", step.starts, lang))]
    if step.extension_months:
        more = say("can extend", lang, more=length_of(Length(step.extension_months, "months"), lang))
        parts.append(more + (say("with reasons", lang) if step.extension_needs_reasons else ""))
    parts.append(word("silence", step.silence, lang))
    return ("; " if lang == "en" else " ; ").join(parts)

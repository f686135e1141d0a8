"""A scripted stand-in for a model that writes instructions, and follows one of them.

It sorts tickets rightly when its instructions hold the magic words, and otherwise as
the nearest demos say; without demos it is right for every other ticket. Asked for
instructions, it writes the magic words.
"""

import json

from telefine_assets_tests.programs.tickets import right_team

MAGIC = "look at the words"
INSTRUCTION = f"To sort a ticket, {MAGIC}."
WRITTEN = {
    "Observations:": "they are tickets",
    "Summary:": "tickets of four teams",
    "Program Description:": "it sorts tickets",
    "Module Description:": "it sorts tickets",
    "Proposed Instruction:": f"{INSTRUCTION}\nProposed Prefix For Output Field: Team:",
    "Discussion:": f"words were ignored\nModule Advice: {json.dumps({'sort': MAGIC})}",
}
"""What it answers to a prompt that ends with such a line."""


def writes(prompt: str) -> str | None:
    """The answer to a prompt, or None where the nearest demos answer."""
    question = prompt.strip().split("\n\n")[-1]
    last = question.split("\n")[-1].strip()
    if "new_instruction" in prompt:
        return json.dumps({"new_instruction": INSTRUCTION})
    if last in WRITTEN:
        return WRITTEN[last]
    if MAGIC in prompt:
        return right_team(question)
    if "\nTeam: " in prompt:
        return None
    number = int(question.split("#")[1].split("\n")[0])
    return right_team(question) if number % 2 else "billing"

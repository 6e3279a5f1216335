"""The judgement: facts in, verdict out. Reasons, routes and policies, audience, refusals and how they are written."""

"""Code that turns features into a prediction with its uncertainty. Fitted artefacts never live here."""

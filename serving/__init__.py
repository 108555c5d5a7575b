"""HTTP: a sealed bundle behind one BentoML service. Never imports training."""

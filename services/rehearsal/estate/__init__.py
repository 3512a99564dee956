"""What a seed becomes: names, blueprints and the objects of a cluster at rest."""

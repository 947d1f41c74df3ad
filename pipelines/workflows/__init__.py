"""The order of the steps, written with Hera and rendered to manifests/workflows; never imports the steps themselves."""
